// The gateway as a jump host: `ssh -J gateway target`, where the inner session is ended, judged and recorded here.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks, program, run, type RunResult } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { openSshStage, type SshStage } from '../backends/ssh-stage.js'

describe.skipIf(lacks('ssh', 'sshd'))('jumps', () => {
  let stage: SshStage
  let config: string
  beforeAll(async () => {
    stage = await openSshStage()
    const known = join(stage.directory, 'known_jump')
    writeFileSync(known, (await stage.gateway.cli(['ca', '--ssh'])).stdout)
    config = join(stage.directory, 'jump_config')
    // Nothing but the authority's line is known of any host, and nothing else is believed.
    writeFileSync(
      config,
      `Host gw
  HostName 127.0.0.1
  Port ${stage.gateway.sshPort}
Host *
  User somebody
  IdentityFile ${stage.directory}/agent_key
  IdentitiesOnly yes
  IdentityAgent none
  BatchMode yes
  StrictHostKeyChecking yes
  UserKnownHostsFile ${known}
  LogLevel ERROR
  ConnectTimeout 20
`,
    )
  })
  afterAll(() => stage.close())

  const ssh = (args: readonly string[], input?: string): Promise<RunResult> =>
    run(program('ssh'), ['-F', config, ...args], input === undefined ? {} : { input })
  interface Listed {
    readonly identity: string
    readonly target: string
    readonly statements: number
  }
  const sessions = (): Promise<Listed[]> => stage.gateway.json<Listed[]>('sessions', 'list')

  it('end here: the command is run, recorded and ruled, by the name of the target', async () => {
    expect(await ssh(['-J', 'gw', 'web', 'cat; echo err >&2; exit 4'], 'through')).toMatchObject({
      code: 4,
      stdout: 'through',
      stderr: 'err\n',
    })
    const [session, another] = await sessions()
    expect(session).toMatchObject({ identity: 'robot', target: 'web', statements: 1 })
    expect(another).toBeUndefined()
    expect(await ssh(['-J', 'gw', 'web', 'rm -rf /nothing-there'])).toMatchObject({
      code: 126,
      stderr: expect.stringContaining('denied by rule no-trees'),
    })
  })

  it('whatever the port and the names before @; a name that says who must be right', async () => {
    expect((await ssh(['-J', 'nobody@gw', '-p', '2222', 'root@web', 'echo in'])).stdout).toBe('in\n')
    expect((await ssh(['-J', 'robot:nowhere@gw', 'web', 'echo in'])).stdout).toBe('in\n')
    expect((await ssh(['-J', 'gw', '-l', 'robot:any', 'web', 'echo in'])).stdout).toBe('in\n')
    expect((await ssh(['-J', 'gw', '-l', 'ann:any', 'web', 'echo in'])).code).toBe(255)
  })

  it('files go through as well', async () => {
    const [from, to] = [join(stage.directory, 'from'), join(stage.server.directory, 'jumped')]
    writeFileSync(from, 'x'.repeat(3_000_000))
    const args = ['-F', config, '-J', 'gw', from, `open:${to}`]
    expect(await run(program('scp'), args)).toMatchObject({ code: 0 })
    expect(readFileSync(to, 'utf8')).toBe(readFileSync(from, 'utf8'))
    expect(await run(program('scp'), ['-O', ...args])).toMatchObject({ code: 0 })
  })

  it('many bytes both ways, and several jumps over one connection', async () => {
    const shell = (command: string): Promise<RunResult> => run('/bin/sh', ['-c', command])
    const jump = `${program('ssh')} -F ${config} -J gw open`
    expect((await shell(`${jump} 'head -c 50000000 /dev/zero' | wc -c`)).stdout.trim()).toBe('50000000')
    expect((await shell(`head -c 50000000 /dev/zero | ${jump} wc -c`)).stdout.trim()).toBe('50000000')
    const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => ssh(['-J', 'gw', 'open', `sleep 1; echo ${index}`])))
    expect(answers.map(({ stdout }) => stdout.trim())).toEqual(answers.map((_, index) => String(index)))
  })

  it('to no target, one without a grant, or another host: refused in words or at the channel', async () => {
    expect((await ssh(['-J', 'gw', 'nowhere', 'true'])).code).toBe(255)
    const plain = join(stage.directory, 'known_any')
    writeFileSync(plain, `* ${(await stage.gateway.cli(['ca', '--host-key'])).stdout}`)
    const known = ['-o', `UserKnownHostsFile=${plain}`, '-o', 'HostKeyAlgorithms=ssh-ed25519']
    expect(await ssh([...known, '-J', 'gw', 'nowhere', 'true'])).toMatchObject({
      code: 126,
      stderr: expect.stringContaining('no target nowhere'),
    })
    for (const host of ['127.0.0.1', 'example.com'])
      expect((await ssh([...known, '-J', 'gw', '-p', String(stage.server.port), host, 'true'])).code, host).toBe(255)
    // The jump host itself has no shell.
    expect(await ssh(['gw', 'true'])).toMatchObject({ code: 126, stderr: expect.stringContaining('no target somebody') })
  })

  it('go on as who they began as, and nobody else', async () => {
    const own = join(stage.directory, 'ann_key')
    copyFileSync(join(stage.directory, 'stranger_key'), own)
    copyFileSync(join(stage.directory, 'stranger_key.pub'), `${own}.pub`)
    const token = await stage.gateway.token('ann')
    expect((await stage.gateway.cli(['ssh-cert', `${own}.pub`], { as: token })).code).toBe(0)
    const mixed = join(stage.directory, 'mixed_config')
    writeFileSync(
      mixed,
      `Host web\n  IdentityFile ${own}\nHost gw\n  IdentityFile ${stage.directory}/agent_key\n${readFileSync(config, 'utf8').replace(/ {2}IdentityFile .*\n/, '')}`,
    )
    const both = await run(program('ssh'), ['-F', mixed, '-J', 'gw', 'web', 'echo in'])
    expect([both.code, both.stdout]).toEqual([255, ''])
    await stage.gateway.logged(/went on as another/)
    const ann = join(stage.directory, 'ann_config')
    writeFileSync(ann, readFileSync(config, 'utf8').replace(/IdentityFile .*\n/, `IdentityFile ${own}\n`))
    expect((await run(program('ssh'), ['-F', ann, '-J', 'gw', 'web', 'echo in'])).stdout).toBe('in\n')
    expect((await sessions())[0]).toMatchObject({ identity: 'ann', target: 'web' })
  })

  it('end with their session, and an outer connection that opens nothing is hung up', async () => {
    const running = ssh(['-J', 'gw', 'web', 'echo started; sleep 60'])
    const id = await waitFor(
      async () => (await stage.gateway.json<{ id: string }[]>('sessions', 'list', '--live'))[0]?.id,
      10_000,
      () => 'a live session',
    )
    const began = Date.now()
    expect((await stage.gateway.cli(['sessions', 'end', id])).code).toBe(0)
    expect((await running).code).toBe(255)
    expect(Date.now() - began).toBeLessThan(5_000)
    expect((await ssh(['-N', 'gw'])).code).toBe(255)
  })

  it('what is not SSH inside is ended', async () => {
    const talked = await run('/bin/sh', ['-c', `echo 'GET / HTTP/1.0' | ${program('ssh')} -F ${config} -W web:80 gw`], {
      withinMs: 30_000,
    })
    expect(talked.stdout).toMatch(/^SSH-2\.0-/)
    expect((await ssh(['-J', 'gw', 'web', 'echo still'])).stdout).toBe('still\n')
  })
})

describe.skipIf(lacks('ssh', 'sshd'))('targets behind targets', () => {
  let stage: SshStage
  beforeAll(async () => {
    stage = await openSshStage({
      targets: async (server) => {
        const written = (name: string, via: string, hostKey = server.hostKey): string =>
          `  - { name: ${name}, protocol: ssh, address: "127.0.0.1:${server.port}", hostKey: "${hostKey}", via: ${via}, credential: { username: ${server.username}, privateKey: { file: ${server.keyFile} } } }\n`
        const closed = `  - { name: nobody, protocol: ssh, address: "127.0.0.1:1", hostKey: "${server.hostKey}", via: web, credential: { username: x, privateKey: { file: ${server.keyFile} } } }\n`
        return [
          written('behind', 'web'),
          written('deep', 'behind'),
          written('behind-impostor', 'impostor'),
          written('impostor-behind', 'web', server.hostAuthority),
          closed,
        ].join('')
      },
    })
  })
  afterAll(() => stage.close())

  it('are reached through them, also through several, and stand alone in the record', async () => {
    for (const target of ['behind', 'deep']) {
      expect(await stage.ssh(['cat; exit 3'], { target, input: 'through' }), target).toMatchObject({ code: 3, stdout: 'through' })
      const [session] = await stage.gateway.json<{ target: string }[]>('sessions', 'list')
      expect(session?.target).toBe(target)
    }
    expect(await stage.ssh(['rm -r /nothing-there'], { target: 'deep' })).toMatchObject({ code: 126 })
    expect((await stage.ssh(['head -c 20000000 /dev/zero'], { target: 'deep' })).stdout).toHaveLength(20_000_000)
  })

  it('have their host keys verified at each step', async () => {
    for (const target of ['behind-impostor', 'impostor-behind'])
      expect(await stage.ssh(['true'], { target }), target).toMatchObject({
        code: 255,
        stderr: expect.stringContaining('host key that is pinned'),
      })
    expect((await stage.ssh(['true'], { target: 'behind-impostor' })).stderr).toContain('on the way there, at impostor')
    expect(await stage.ssh(['true'], { target: 'nobody' })).toMatchObject({
      code: 255,
      stderr: expect.stringContaining('opens no channel to the next target'),
    })
  })

  it('leave no connection behind', async () => {
    expect((await stage.ssh(['true'], { target: 'deep' })).code).toBe(0)
    const ports = (what: RegExp): readonly string[] => [...stage.server.log().matchAll(what)].map((match) => match[1] ?? '')
    await waitFor(
      () => {
        const gone = new Set(ports(/(?:Connection closed by|Disconnected from user \S+) \S+ port (\d+)/g))
        return Promise.resolve(ports(/Accepted publickey .* port (\d+)/g).every((port) => gone.has(port)) ? true : undefined)
      },
      10_000,
      () => `every login to end; the server said\n${stage.server.log()}`,
    )
  })
})
