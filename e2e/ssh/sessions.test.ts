// Logins, terminals, many channels, large transfers, tunnels: connections as people and tools make them.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks, program, pythonWith, run, type RunResult } from '../backends/programs.js'
import { freePort } from '../backends/postgres.js'
import { waitFor } from '../backends/psql.js'
import { openSshStage, type SshStage } from '../backends/ssh-stage.js'

const paramiko = pythonWith('paramiko')

describe.skipIf(lacks('ssh', 'sshd'))('sessions', () => {
  let stage: SshStage
  beforeAll(async () => {
    stage = await openSshStage()
  })
  afterAll(() => stage.close())

  const lastSession = async (): Promise<string> =>
    (await stage.gateway.json<readonly { id: string }[]>('sessions', 'list'))[0]?.id ?? ''
  const replay = async (id: string): Promise<string> => (await stage.gateway.cli(['replay', id, '--instant'])).stdout
  /** OpenSSH asks this program for the password. */
  const withPassword = async (password: string, user: string, command: string): Promise<RunResult> => {
    const askpass = join(stage.directory, 'askpass')
    const { writeFileSync } = await import('node:fs')
    writeFileSync(askpass, '#!/bin/sh\nprintf "%s\\n" "$PLANTED_PASSWORD"\n', { mode: 0o700 })
    return run(
      program('ssh'),
      ['-F', stage.configFile, '-o', 'PubkeyAuthentication=no', '-o', 'NumberOfPasswordPrompts=1', `${user}@127.0.0.1`, command],
      {
        env: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', PLANTED_PASSWORD: password, DISPLAY: ':0' },
      },
    )
  }

  describe('who may in', () => {
    it('a key tells who; a name may be said as well, but not another', async () => {
      expect((await stage.ssh(['echo in'])).stdout).toBe('in\n')
      expect((await stage.ssh(['echo in'], { target: 'robot:web' })).stdout).toBe('in\n')
      expect(await stage.ssh(['echo in'], { target: 'ann:web' })).toMatchObject({ code: 255, stdout: '' })
    })
    it('a token is a password', async () => {
      const token = await stage.gateway.token('ann')
      expect(await withPassword(token, 'web', 'echo in')).toMatchObject({ code: 0, stdout: 'in\n' })
      expect(await withPassword(token, 'ann:web', 'echo in')).toMatchObject({ code: 0, stdout: 'in\n' })
      expect((await withPassword(token, 'robot:web', 'echo in')).code).toBe(255)
      expect((await withPassword(`${token}x`, 'web', 'echo in')).code).toBe(255)
      expect(stage.gateway.log()).not.toContain(token)
    })
    it('a stranger, a target that is not there, a target without a grant', async () => {
      const stranger = await run(
        program('ssh'),
        [
          '-F',
          stage.configFile,
          '-i',
          join(stage.directory, 'stranger_key'),
          '-o',
          `IdentityFile=${stage.directory}/stranger_key`,
          'web@127.0.0.1',
          'true',
        ].filter((each) => !each.startsWith('IdentityFile')),
        { env: {} },
      )
      expect(stranger.stdout).toBe('')
      expect(await stage.ssh(['true'], { target: 'nowhere' })).toMatchObject({
        code: 126,
        stderr: expect.stringContaining('no target nowhere'),
      })
      const outsider = await stage.gateway.token('outsider')
      expect(await withPassword(outsider, 'web', 'true')).toMatchObject({
        code: 126,
        stderr: expect.stringContaining('no target web'),
      })
    })
    it('a target that shows another key than the pinned one is not logged in to', async () => {
      const result = await stage.ssh(['true'], { target: 'impostor' })
      expect(result).toMatchObject({ code: 255, stderr: expect.stringContaining('host key that is pinned') })
      expect(stage.server.log()).not.toMatch(/Accepted .*impostor/)
    })
    it('offers nothing weak', async () => {
      const weak = [
        'KexAlgorithms=diffie-hellman-group14-sha1',
        'MACs=hmac-sha1',
        'Ciphers=aes128-cbc',
        'HostKeyAlgorithms=ssh-rsa',
      ]
      for (const option of weak) {
        const cipher = option.startsWith('MACs') ? ['-o', 'Ciphers=aes128-ctr'] : []
        const result = await run(program('ssh'), [
          '-F',
          stage.configFile,
          '-o',
          'LogLevel=INFO',
          '-o',
          option,
          ...cipher,
          'web@127.0.0.1',
          'true',
        ])
        expect(result, option).toMatchObject({ code: 255, stderr: expect.stringMatching(/no matching|Unable to negotiate/) })
      }
    })
    it('keeps its own host key', async () => {
      const known = readFileSync(join(stage.directory, 'known_hosts'), 'utf8')
      expect((await stage.ssh(['true'])).code).toBe(0)
      expect(readFileSync(join(stage.directory, 'known_hosts'), 'utf8')).toBe(known)
      expect(stage.gateway.log()).not.toContain(known.split(' ')[2] ?? 'x')
    })
  })

  describe('terminals', () => {
    const typed = async (target: string, lines: readonly string[]): Promise<string> => {
      const child = spawn(program('ssh'), ['-F', stage.configFile, '-tt', `${target}@127.0.0.1`])
      let said = ''
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
      const ended = new Promise((done) => child.once('close', done))
      for (const line of lines) {
        await wait(700)
        child.stdin.write(`${line}\r`)
      }
      await ended
      return said
    }
    it('records what was shown and typed, but nothing typed unseen', async () => {
      const said = await typed('open', [
        `PS1='$ '; unset PROMPT_COMMAND`,
        'echo visible-line',
        `stty -echo; read secret; stty echo`,
        'hunter2-planted',
        `echo "got \${#secret}"`,
        'exit 4',
      ])
      expect(said).toContain('got 15')
      const id = await lastSession()
      const replayed = await replay(id)
      expect(replayed).toContain('input: echo visible-line')
      expect(replayed).toContain('terminal: ')
      expect(replayed).not.toContain('hunter2-planted')
      const cast = (await stage.gateway.cli(['replay', id, '--format', 'asciicast'])).stdout.split('\n')
      expect(JSON.parse(cast[0] ?? '')).toMatchObject({ version: 2, width: expect.any(Number) })
      expect(cast.slice(1).join('\n')).toContain('visible-line')
      expect(cast.join('\n')).not.toContain('hunter2-planted')
    })
    it('can be forbidden', async () => {
      const said = await typed('locked', [])
      expect(said).toContain('denied by rule no-shells: No shells here.')
      expect((await stage.ssh(['echo command'], { target: 'locked' })).stdout).toBe('command\n')
      // A command with a terminal is a shell by another name.
      const sly = await stage.ssh(['-tt', 'sh'], { target: 'locked' })
      expect(sly).toMatchObject({ code: 126, stderr: expect.stringContaining('no-shells') })
      expect((await stage.ssh(['-tt', 'echo with-terminal'], { target: 'web' })).stdout).toBe('with-terminal\r\n')
    })
    it('are ended at once', async () => {
      const running = stage.ssh(['echo started; sleep 60'])
      const id = await waitFor(
        async () => (await stage.gateway.json<readonly { id: string }[]>('sessions', 'list', '--live'))[0]?.id,
        10_000,
        () => 'a live session',
      )
      await wait(500)
      const began = Date.now()
      expect((await stage.gateway.cli(['sessions', 'end', id])).code).toBe(0)
      expect((await running).code).toBe(255)
      expect(Date.now() - began).toBeLessThan(5_000)
    })
  })

  describe('tunnels', () => {
    const through = async (target: string): Promise<string | undefined> => {
      const web = createServer((_request, response) => response.end('behind'))
      const port = await freePort()
      await new Promise<void>((done) => web.listen(port, '127.0.0.1', done))
      const local = await freePort()
      const child = spawn(
        program('ssh'),
        ['-F', stage.configFile, '-N', '-L', `${local}:127.0.0.1:${port}`, `${target}@127.0.0.1`],
        { stdio: 'ignore' },
      )
      try {
        return await waitFor(
          async () =>
            fetch(`http://127.0.0.1:${local}/`)
              .then((answer) => answer.text())
              .catch((error: unknown) =>
                String(error).includes('ECONNREFUSED') || String((error as Error).cause).includes('ECONNREFUSED')
                  ? undefined
                  : 'closed',
              ),
          10_000,
          () => 'an answer through the tunnel',
        )
      } finally {
        child.kill()
        web.close()
      }
    }
    it('are off unless a rule allows them', async () => {
      expect(await through('web')).toBe('closed')
      expect(await through('open')).toBe('behind')
    })
    it('ports of the server, the agent and X11 are not forwarded', async () => {
      const result = await run(program('ssh'), [
        '-F',
        stage.configFile,
        '-o',
        'ExitOnForwardFailure=yes',
        '-R',
        '0:127.0.0.1:1',
        'open@127.0.0.1',
        'true',
      ])
      expect(result.code).toBe(255)
      expect((await run(program('ssh'), ['-F', stage.configFile, '-A', 'open@127.0.0.1', 'echo "[$SSH_AUTH_SOCK]"'])).stdout).toBe(
        '[]\n',
      )
    })
  })

  it('`connect` and `run` bring the token and the host key', async () => {
    const line = (await stage.gateway.cli(['ca', '--host-key'])).stdout.trim()
    expect(readFileSync(join(stage.directory, 'known_hosts'), 'utf8')).toContain(line)
    expect(await stage.gateway.cli(['connect', 'web', '--as', 'robot', '--', 'echo connected; exit 3'])).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('connected'),
    })
    const script = 'ssh -F "$SALLYPORT_SSH_CONFIG" web echo by-run'
    expect((await stage.gateway.cli(['run', '--as', 'robot', '--', 'sh', '-c', script])).stdout).toContain('by-run')
    expect(await stage.gateway.json('targets')).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'web' })]))
  })

  it('serves a hundred channels of one connection', async () => {
    const control = join(stage.directory, 'control')
    const master = spawn(program('ssh'), ['-F', stage.configFile, '-N', '-M', '-S', control, 'open@127.0.0.1'], { stdio: 'ignore' })
    await wait(1_500)
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        run(program('ssh'), ['-F', stage.configFile, '-S', control, 'open@127.0.0.1', `sleep 1; echo ${index}`]),
      ),
    )
    expect(answers.map(({ stdout }) => stdout.trim())).toEqual(answers.map((_, index) => String(index)))
    master.kill()
  })

  it('keeps a slow stdout and a slow stderr apart, and whole', async () => {
    const files = ['out', 'err', 'more'].map((name) => join(stage.server.directory, name))
    const random = (file: string): string => `head -c 6000000 /dev/urandom | tee ${file}`
    const [out = '', err = '', more = ''] = files
    const child = spawn(program('ssh'), [
      '-F',
      stage.configFile,
      'open@127.0.0.1',
      `${random(out)}; ${random(err)} >&2; ${random(more)}`,
    ])
    const seen: { readonly out: Buffer[]; readonly err: Buffer[] } = { out: [], err: [] }
    await wait(1_500)
    child.stdout.on('data', (chunk: Buffer) => seen.out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => seen.err.push(chunk))
    expect(await new Promise((done) => child.once('close', done))).toBe(0)
    expect(Buffer.concat(seen.out).equals(Buffer.concat([readFileSync(out), readFileSync(more)]))).toBe(true)
    expect(Buffer.concat(seen.err).equals(readFileSync(err))).toBe(true)
  })

  it('ends a command whose output nobody reads any more', async () => {
    const ssh = `${program('ssh')} -F ${stage.configFile} open@127.0.0.1`
    const began = Date.now()
    const result = await run('/bin/sh', ['-c', `${ssh} yes | (sleep 2; head -n 1)`])
    expect(result.stdout).toBe('y\n')
    expect(Date.now() - began).toBeLessThan(15_000)
  })

  it('passes 200 MB each way, whole, in flat memory, also to a slow reader', { timeout: 180_000 }, async () => {
    const memory = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${stage.gateway.pid()}/status`, 'utf8'))?.[1] ?? 0) / 1024
    const hash = createHash('sha256')
    for (let block = 0; block < 200; block += 1) hash.update(Buffer.alloc(1024 * 1024))
    const expected = hash.digest('hex')
    const before = memory()
    const sum = (command: string): Promise<RunResult> => run('/bin/sh', ['-c', command])
    const ssh = `${program('ssh')} -F ${stage.configFile} open@127.0.0.1`
    expect((await sum(`${ssh} 'head -c 209715200 /dev/zero' | sha256sum`)).stdout).toContain(expected)
    expect((await sum(`head -c 209715200 /dev/zero | ${ssh} sha256sum`)).stdout).toContain(expected)
    const slow = spawn('/bin/sh', ['-c', `${ssh} 'head -c 209715200 /dev/zero' | (sleep 4; head -c 1000 | wc -c)`])
    await wait(3_500)
    expect(memory() - before).toBeLessThan(200)
    await new Promise((done) => slow.once('close', done))
  })

  it.skipIf(paramiko === undefined)('paramiko: a key, a command, files', async () => {
    const script = `
import paramiko
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", port=${stage.gateway.sshPort}, username="web", key_filename="${stage.directory}/agent_key", allow_agent=False, look_for_keys=False)
stdin, stdout, stderr = client.exec_command("cat; echo err >&2; exit 5")
stdin.write("hello"); stdin.channel.shutdown_write()
assert stdout.read() == b"hello" and stderr.read() == b"err\\n" and stdout.channel.recv_exit_status() == 5
sftp = client.open_sftp()
with sftp.open("${stage.server.directory}/paramiko", "wb") as f: f.write(b"x" * 200000)
assert sftp.stat("${stage.server.directory}/paramiko").st_size == 200000
with sftp.open("${stage.server.directory}/paramiko") as f: assert f.read() == b"x" * 200000
sftp.remove("${stage.server.directory}/paramiko")
client.close()
print("fine")
`
    expect(await run(paramiko ?? '', ['-'], { input: script })).toEqual({ code: 0, stdout: 'fine\n', stderr: '' })
  })
})
