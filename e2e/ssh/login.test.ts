// SSH logins of people: keyboard-interactive shows the provider's address and a code, and goes on once they have agreed there.

import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publicClient, startIssuer, type TestIssuer } from '../backends/oidc-provider.js'
import { lacks, program, pythonWith, run, type RunResult } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { openSshStage, type SshStage } from '../backends/ssh-stage.js'

const provider = (name: string, issuer: string): string =>
  `  - { name: ${name}, kind: oidc, issuer: "${issuer}", clientId: ${publicClient.id}, audience: sallyport }\n`

const paramiko = pythonWith('paramiko')

describe.skipIf(lacks('ssh', 'sshd'))('keyboard-interactive', () => {
  let issuer: TestIssuer
  let stage: SshStage
  beforeAll(async () => {
    issuer = await startIssuer()
    stage = await openSshStage({ rest: `identityProviders:\n${provider('corp', issuer.issuer)}limits: { loginSeconds: 5 }\n` })
  })
  afterAll(async () => {
    await stage.close()
    await issuer.close()
  })

  let count = 0
  /** OpenSSH asks this program; it shows what it was asked, waits for the person, and answers with `answer`. */
  const withPerson = (user: string, answer: string, ...options: readonly string[]) => {
    count += 1
    const [askpass, asked, ready] = ['askpass', 'asked', 'ready'].map((name) => join(stage.directory, `${name}-${count}`)) as [
      string,
      string,
      string,
    ]
    writeFileSync(
      askpass,
      `#!/bin/sh\nprintf '%s' "$1" > ${asked}\nwhile ! [ -e ${ready} ]; do sleep 0.1; done\nprintf '%s\\n' '${answer}'\n`,
      { mode: 0o700 },
    )
    const args = ['-F', stage.configFile, '-o', 'PubkeyAuthentication=no', '-o', 'LogLevel=INFO', ...options]
    const child = spawn(program('ssh'), [...args, `${user}@127.0.0.1`, 'echo in'], {
      env: { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    const ended = new Promise<RunResult>((done) => child.once('close', (code) => done({ code, stdout, stderr })))
    return {
      ended,
      address: () =>
        waitFor(
          () => Promise.resolve(existsSync(asked) ? /or open (\S+)/.exec(stdout + stderr)?.[1] : undefined),
          10_000,
          () => `an address; it said ${stdout}${stderr}`,
        ),
      goOn: () => writeFileSync(ready, ''),
      kill: () => child.kill(),
    }
  }

  it('goes on once the person has agreed, however long that took, as them', async () => {
    const login = withPerson('web', '')
    await issuer.visit(await login.address(), 'mia')
    // Longer than a login without a person may take.
    await new Promise((done) => setTimeout(done, 6_000))
    login.goOn()
    expect(await login.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('in\n') })
    const [session] = await stage.gateway.json<{ identity: string; groups: string[] }[]>('sessions', 'list', '--identity', 'mia')
    expect(session).toMatchObject({ identity: 'mia', groups: ['ops'] })
  })

  it('also where Enter came first', async () => {
    const login = withPerson('mia:web', '')
    const address = await login.address()
    await new Promise((done) => setTimeout(done, 1_200))
    login.goOn()
    await issuer.visit(address, 'mia')
    expect(await login.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('in\n') })
  })

  it('not as somebody else than who agreed', async () => {
    const login = withPerson('robot:web', '', '-o', 'PreferredAuthentications=keyboard-interactive')
    await issuer.visit(await login.address(), 'mia')
    await new Promise((done) => setTimeout(done, 1_200))
    login.goOn()
    const { code, stdout } = await login.ended
    expect([code, stdout.includes('in\n')]).toEqual([255, false])
  })

  it('a person who refuses is told so', async () => {
    const login = withPerson('web', '', '-o', 'PreferredAuthentications=keyboard-interactive')
    await issuer.visit(await login.address(), undefined)
    await new Promise((done) => setTimeout(done, 1_200))
    login.goOn()
    const { code, stdout, stderr } = await login.ended
    expect(code).toBe(255)
    expect(stdout + stderr).toContain('the login was refused at corp')
  })

  it('a token may be typed instead; a wrong one is none', async () => {
    const token = await stage.gateway.token('ann')
    const login = withPerson('web', token, '-o', 'PreferredAuthentications=keyboard-interactive')
    login.goOn()
    expect(await login.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('in\n') })
    const wrong = withPerson('web', `${token}x`, '-o', 'PreferredAuthentications=keyboard-interactive')
    wrong.goOn()
    expect((await wrong.ended).code).toBe(255)
    expect(stage.gateway.log()).not.toContain(token)
  })

  it('a token as a password works as before, and a client without a person fails at once', async () => {
    const token = await stage.gateway.token('ann')
    const password = withPerson('web', token, '-o', 'PreferredAuthentications=password')
    password.goOn()
    expect((await password.ended).code).toBe(0)
    const began = Date.now()
    const nobody = withPerson('web', '', '-o', 'PreferredAuthentications=keyboard-interactive')
    nobody.goOn()
    const { code, stdout, stderr } = await nobody.ended
    expect(code).toBe(255)
    expect(stdout + stderr).toContain('needs a person')
    const batch = await run(program('ssh'), [
      '-F',
      stage.configFile,
      '-o',
      'PubkeyAuthentication=no',
      '-o',
      'BatchMode=yes',
      'web@127.0.0.1',
      'true',
    ])
    expect(batch.code).toBe(255)
    expect(Date.now() - began).toBeLessThan(10_000)
  })

  it.each(['SSH-2.0-x\r\n', 'SSH-2.0-x\r\nno key exchange is like this'])(
    'a stranger who says %j and never hangs up is cut off after the deadline',
    async (said) => {
      const socket = connect({ host: '127.0.0.1', port: stage.gateway.sshPort, allowHalfOpen: true })
      const cut = new Promise<string>((done) => socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? '')))
      socket.on('data', () => {})
      await new Promise((done) => socket.once('connect', done))
      socket.write(said)
      // Where the other end is only half closed, this can go on for ever.
      const pushing = setInterval(() => socket.write('x'), 500)
      const late = new Promise<string>((done) => setTimeout(done, 15_000, 'still there'))
      expect(await Promise.race([cut, late])).toMatch(/^(?:ECONNRESET|EPIPE)$/)
      clearInterval(pushing)
      socket.destroy()
    },
  )

  it('who leaves stops waiting at the provider', async () => {
    for (let times = 0; times < 20; times += 1) {
      const login = withPerson('web', '')
      await login.address()
      login.kill()
      login.goOn()
      await login.ended
    }
    const login = withPerson('web', '')
    await issuer.visit(await login.address(), 'mia')
    await new Promise((done) => setTimeout(done, 1_200))
    login.goOn()
    expect((await login.ended).code).toBe(0)
  })

  it.skipIf(paramiko === undefined)('paramiko: a client that answers every prompt by itself is refused', async () => {
    const script = `
import paramiko
transport = paramiko.Transport(("127.0.0.1", ${stage.gateway.sshPort}))
transport.start_client()
asked = []
try:
    transport.auth_interactive("web", lambda title, text, prompts: (asked.append(text), [""] * len(prompts))[1])
    print("in")
except paramiko.AuthenticationException:
    print("refused")
assert "enter the code" in asked[0], asked
assert "needs a person" in asked[-1], asked
transport.close()
`
    expect(await run(paramiko ?? '', ['-'], { input: script })).toEqual({ code: 0, stdout: 'refused\n', stderr: '' })
  })
})
