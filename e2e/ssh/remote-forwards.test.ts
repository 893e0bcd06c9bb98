// Ways from the target to the caller: ports and sockets that the target listens on (-R), and the caller's agent (-A). Each by rule, none without.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../backends/postgres.js'
import { lacks, program, run, type RunResult } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { openSshStage, type SshStage } from '../backends/ssh-stage.js'

describe.skipIf(lacks('ssh', 'sshd', 'ssh-agent', 'ssh-add'))('ways back to the caller', () => {
  let stage: SshStage
  const answer = randomBytes(5_000_000)
  let service: number
  const standing = createServer({ allowHalfOpen: true }, (socket) => {
    const asked: Buffer[] = []
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => asked.push(bytes))
    // Answers when the question is over, as programs do that read to the end.
    socket.on('end', () => socket.end(Buffer.concat([Buffer.concat(asked), answer])))
  })

  beforeAll(async () => {
    stage = await openSshStage({
      targets: async (server) =>
        `  - { name: back, trust: { programs: [ssh-add] }, protocol: ssh, address: "127.0.0.1:${server.port}", hostKey: "${server.hostKey}", credential: { username: ${server.username}, privateKey: { file: ${server.keyFile} } } }\n`,
      rest: `  - { name: ways, where: { targets: [back] }, what: { kinds: [tunnel], objects: ["remote:localhost:*", "remote:/tmp/*", agent] }, then: allow }\n`,
    })
    service = await freePort()
    await new Promise<void>((done) => standing.listen(service, '127.0.0.1', done))
  })
  afterAll(async () => {
    standing.close()
    await stage.close()
  })

  const ask = (place: number | string, question: string): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      const socket = typeof place === 'string' ? connect(place) : connect(place, 'localhost')
      socket.on('data', (bytes: Buffer) => chunks.push(bytes))
      socket.on('end', () => resolve(Buffer.concat(chunks))).on('error', reject)
      socket.end(question)
    })
  const begun = async (args: readonly string[], target = 'back'): Promise<() => string> => {
    const options = ['-F', stage.configFile, '-o', 'LogLevel=INFO', '-o', 'ExitOnForwardFailure=yes', '-N', ...args]
    const child = spawn(program('ssh'), [...options, `${target}@127.0.0.1`], { stdio: ['ignore', 'ignore', 'pipe'] })
    onTestFinished(() => void child.kill())
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    return () => said
  }
  const answered = (place: number | string): Promise<Buffer> =>
    waitFor(
      () => ask(place, 'question').catch(() => undefined),
      15_000,
      () => `an answer at ${place}`,
    )
  const shown = async (): Promise<string> => {
    const sessions = await stage.gateway.json<readonly { id: string; target: string }[]>('sessions', 'list')
    return (await stage.gateway.cli(['replay', sessions.find(({ target }) => target === 'back')?.id ?? '', '--instant'])).stdout
  }

  it('a port of the target leads to the caller, whole, also when one way ends before the other', async () => {
    const far = await freePort()
    await begun(['-R', `localhost:${far}:127.0.0.1:${service}`])
    const got = await answered(far)
    expect(got.subarray(0, 8).toString()).toBe('question')
    expect(got.subarray(8).equals(answer)).toBe(true)
    const both = await Promise.all([ask(far, 'a'), ask(far, 'b')])
    expect(both.map((each) => each.subarray(0, 1).toString())).toEqual(['a', 'b'])
    await waitFor(
      async () =>
        /forwarded: from .* at localhost:\d+: 5000008 bytes to the caller|8 bytes to the caller, 0|5000008 back/.test(await shown())
          ? true
          : undefined,
      10_000,
      () => 'what went through, on record',
    )
    expect(await shown()).toContain(`forward from localhost:${far} on the target to the caller`)
  })

  it('a port that the target chooses, until the caller takes it back', async () => {
    const control = join(stage.directory, 'back-control')
    const said = await begun(['-M', '-S', control, '-R', `0:127.0.0.1:${service}`])
    const port = await waitFor(
      async () => /Allocated port (\d+)/.exec(said())?.[1],
      10_000,
      () => `an allocated port in ${said()}`,
    )
    expect((await answered(Number(port))).length).toBe(answer.length + 8)
    const cancel = ['-F', stage.configFile, '-S', control, '-O', 'cancel', '-R', `0:127.0.0.1:${service}`, 'back@127.0.0.1']
    expect((await run(program('ssh'), cancel)).code).toBe(0)
    await waitFor(
      () =>
        ask(Number(port), 'x').then(
          () => undefined,
          () => true as const,
        ),
      10_000,
      () => 'the port to be closed',
    )
  })

  it('a socket of Unix', async () => {
    const far = `/tmp/sallyport-back-${process.pid}.sock`
    await begun(['-R', `${far}:127.0.0.1:${service}`])
    expect((await answered(far)).length).toBe(answer.length + 8)
  })

  it('none of them without a rule that names it', async () => {
    for (const [target, place] of [
      ['web', 'localhost:0'],
      ['open', 'localhost:0'],
      ['back', '*:0'],
      ['back', '/var/tmp/x.sock'],
    ] as const) {
      const args = ['-F', stage.configFile, '-o', 'ExitOnForwardFailure=yes', '-R', `${place}:127.0.0.1:${service}`]
      const result = await run(program('ssh'), [...args, `${target}@127.0.0.1`, 'echo in'])
      expect(result, `${target} ${place}`).toMatchObject({ code: 255, stdout: '' })
    }
  })

  it('the agent of the caller, where a rule allows it, for each command', async () => {
    const socket = join(stage.directory, 'agent.sock')
    const agent = spawn(program('ssh-agent'), ['-D', '-a', socket], { stdio: 'ignore' })
    onTestFinished(() => void agent.kill())
    const withAgent = { env: { SSH_AUTH_SOCK: socket } }
    const added = (): Promise<RunResult> => run(program('ssh-add'), [join(stage.directory, 'agent_key')], withAgent)
    await waitFor(
      async () => ((await added()).code === 0 ? true : undefined),
      10_000,
      () => 'the agent',
    )
    const lent = (target: string, command: string, ...more: readonly string[]): Promise<RunResult> =>
      run(
        program('ssh'),
        ['-F', stage.configFile, '-A', '-o', `IdentityAgent=${socket}`, ...more, `${target}@127.0.0.1`, command],
        withAgent,
      )
    const control = ['-S', join(stage.directory, 'agent-control'), '-o', 'ControlMaster=auto', '-o', 'ControlPersist=10']
    for (let time = 0; time < 2; time += 1) {
      const listed = await lent('back', `${program('ssh-add')} -l`, ...control)
      expect(listed, stage.gateway.log().slice(-1500)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('ED25519'),
        stderr: '',
      })
    }
    expect(await shown()).toContain('agent: asked by the target')
    for (const target of ['web', 'open'])
      expect(await lent(target, 'echo "[$SSH_AUTH_SOCK]"')).toMatchObject({ code: 0, stdout: '[]\n', stderr: '' })
    await run(program('ssh'), ['-F', stage.configFile, ...control, '-O', 'exit', 'back@127.0.0.1'])
  })
})
