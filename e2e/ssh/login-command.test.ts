// `sallyport login`, `whoami`, `logout` against a real OpenID provider: by code and by browser, with a client's secret and without.

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startGateway, type Gateway } from '../backends/gateway.js'
import { gatewayClient, publicClient, startIssuer, type TestIssuer } from '../backends/oidc-provider.js'
import { checkout, run, type RunResult } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'

const entry = join(checkout, 'packages', 'cli', 'bin', 'sallyport.js')

let issuer: TestIssuer
let hasty: TestIssuer
let gateway: Gateway
let directory: string

const configuration = (): string => `identityProviders:
  - { name: corp, kind: oidc, issuer: "${issuer.issuer}", clientId: ${gatewayClient.id}, clientSecret: { env: CORP_SECRET }, audience: sallyport, loginHours: 1 }
  - { name: open, kind: oidc, issuer: "${issuer.issuer}", clientId: ${publicClient.id}, audience: sallyport, flows: [device] }
  - { name: hasty, kind: oidc, issuer: "${hasty.issuer}", clientId: ${publicClient.id}, audience: sallyport }
  - { name: wrong, kind: oidc, issuer: "${issuer.issuer}", clientId: ${gatewayClient.id}, clientSecret: { env: WRONG_SECRET }, audience: sallyport }
  - { name: gone, kind: oidc, issuer: "http://127.0.0.1:1", clientId: sallyport, audience: sallyport }
identities:
  - { name: robot, kind: agent, groups: [agents] }
targets:
  - { name: web, protocol: http, address: "http://127.0.0.1:9" }
grants:
  - { groups: [ops], targets: [web] }
`

beforeAll(async () => {
  issuer = await startIssuer()
  hasty = await startIssuer({ deviceCodeSeconds: 2 })
  const env = { CORP_SECRET: gatewayClient.secret, WRONG_SECRET: 'of-another-client' }
  gateway = await startGateway(configuration(), { env })
})

afterAll(async () => {
  await gateway.remove()
  await issuer.close()
  await hasty.close()
})

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-login-'))
  return () => rmSync(directory, { recursive: true, force: true })
})

const url = (): string => `http://${gateway.consoleAddress}`
const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  SALLYPORT_URL: url(),
  SALLYPORT_HOME: join(directory, 'no-home'),
  XDG_CONFIG_HOME: join(directory, 'config'),
  ...more,
})
const sallyport = (args: readonly string[], more?: NodeJS.ProcessEnv): Promise<RunResult> =>
  run(entry, args, { env: environment(more) })
const keptFile = (): string => join(directory, 'config', 'sallyport', 'logins.json')

interface Underway {
  readonly said: () => string
  readonly ended: Promise<RunResult>
}

function begin(args: readonly string[], more?: NodeJS.ProcessEnv): Underway {
  const child = spawn(entry, args, { env: { ...process.env, ...environment(more) }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<RunResult>((done) => child.once('close', (code) => done({ code, stdout, stderr })))
  return { said: () => stderr, ended }
}

/** Logs in by code; `account` undefined: the person says no. */
async function byCode(provider: string, account: string | undefined, ...more: readonly string[]): Promise<RunResult> {
  const login = begin(['login', '--device', '--provider', provider, ...more])
  const address = await waitFor(
    () => Promise.resolve(/or open (\S+)/.exec(login.said())?.[1]),
    15_000,
    () => `an address; it said ${login.said()}`,
  )
  await issuer.visit(address, account)
  return login.ended
}

describe('login by code', () => {
  it('keeps a token for the other commands, until logout', async () => {
    const done = await byCode('corp', 'mia')
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining(`logged in at ${url()} as mia`) })
    expect(done.stderr).toMatch(/enter the code [A-Z]{4}-[A-Z]{4}/)
    expect(statSync(keptFile()).mode & 0o777).toBe(0o600)
    expect(statSync(join(directory, 'config', 'sallyport')).mode & 0o777).toBe(0o700)
    expect(JSON.parse((await sallyport(['whoami', '--json'])).stdout)).toMatchObject({
      name: 'mia',
      kind: 'person',
      groups: ['ops'],
    })
    expect((await sallyport(['targets'])).stdout).toContain('web')

    const kept = (JSON.parse(readFileSync(keptFile(), 'utf8')) as Record<string, { token: string; expiresAt: string }>)[url()]
    const leftMs = Date.parse(kept?.expiresAt ?? '') - Date.now()
    expect(leftMs).toBeGreaterThan(50 * 60_000)
    expect(leftMs).toBeLessThanOrEqual(60 * 60_000)
    const others = await gateway.json<{ identity: string; createdBy: string }[]>('token', 'list')
    expect(others).toEqual(expect.arrayContaining([expect.objectContaining({ identity: 'mia', createdBy: 'login at corp' })]))

    expect(await sallyport(['logout'])).toMatchObject({ code: 0, stdout: expect.stringContaining('mia is logged out') })
    expect(existsSync(keptFile())).toBe(false)
    expect(await sallyport(['whoami'], { SALLYPORT_TOKEN: kept?.token })).toMatchObject({ code: 1, stdout: '' })
    expect(await sallyport(['whoami'])).toMatchObject({ code: 1, stderr: expect.stringContaining('run `sallyport login`') })
    expect(await sallyport(['logout'])).toMatchObject({ code: 1, stderr: expect.stringContaining('nobody is logged in') })
    expect(gateway.log()).not.toContain(kept?.token)
    expect(gateway.log()).not.toContain(gatewayClient.secret)
  })

  it('by a public client; SALLYPORT_TOKEN goes over what is kept', async () => {
    expect(JSON.parse((await byCode('open', 'noa', '--json')).stdout)).toMatchObject({
      identity: 'noa',
      gateway: url(),
      file: keptFile(),
    })
    expect((await sallyport(['whoami'])).stdout).toContain('noa (person; groups guests')
    const token = await gateway.token('robot')
    expect((await sallyport(['whoami'], { SALLYPORT_TOKEN: token })).stdout).toContain('robot (agent')
    expect((await sallyport(['targets'])).stdout).not.toContain('web')
  })

  it('a second login takes the place of the first, whose token ends', async () => {
    await byCode('open', 'noa')
    const first = readFileSync(keptFile(), 'utf8')
    await byCode('open', 'mia')
    expect((await sallyport(['whoami'])).stdout).toContain('mia')
    const token = (JSON.parse(first) as Record<string, { token: string }>)[url()]?.token
    expect((await sallyport(['whoami'], { SALLYPORT_TOKEN: token })).code).toBe(1)
  })

  it('a revoked token says what to do', async () => {
    await byCode('open', 'mia')
    const { id } = (JSON.parse(readFileSync(keptFile(), 'utf8')) as Record<string, { id: string }>)[url()] ?? { id: '' }
    expect((await gateway.cli(['token', 'revoke', id])).code).toBe(0)
    expect(await sallyport(['whoami'])).toMatchObject({ code: 1, stderr: expect.stringContaining('run `sallyport login`') })
    expect((await sallyport(['logout'])).code).toBe(0)
  })

  it('what goes wrong is said in one line, and ends with 1', async () => {
    const refused = async (provider: string, account?: string): Promise<RunResult> => byCode(provider, account)
    expect(await refused('corp')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('the login was refused at corp'),
    })
    expect(await refused('corp', 'thief')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('robot is an identity of the configuration'),
    })
    const line = (args: readonly string[]): Promise<RunResult> => sallyport(['login', '--device', ...args])
    expect(await line(['--provider', 'hasty'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nobody entered the code at hasty in time'),
    })
    expect(await line(['--provider', 'wrong'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('clientId or clientSecret is wrong'),
    })
    expect(await line(['--provider', 'gone'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('login at gone did not work'),
    })
    expect(await line(['--provider', 'nobody'])).toMatchObject({ code: 1, stderr: expect.stringContaining('there is: corp, open') })
    expect(await line([])).toMatchObject({ code: 1, stderr: expect.stringContaining('--provider') })
    expect((await line(['--unknown'])).code).toBe(2)
    expect(existsSync(keptFile())).toBe(false)
  })

  it('who hangs up gives up, and leaves room for others', async () => {
    for (let times = 0; times < 20; times += 1) {
      const gone = new AbortController()
      const answer = await fetch(`${url()}/api/v1/login/device`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"provider":"open"}',
        signal: gone.signal,
      })
      expect(answer.status).toBe(200)
      gone.abort()
    }
    const login = begin(['login', '--device', '--provider', 'open'])
    await waitFor(
      () => Promise.resolve(/enter the code/.exec(login.said())?.[0]),
      15_000,
      () => `a code; it said ${login.said()}`,
    )
    await issuer.visit(/or open (\S+)/.exec(login.said())?.[1] ?? '', 'mia')
    expect((await login.ended).code).toBe(0)
  })
})

describe('login by browser', () => {
  /** A program that is called as a browser would be, and tells where it was sent. */
  const browser = (): { readonly program: string; readonly sentTo: () => string | undefined } => {
    const [program, file] = [join(directory, 'browser'), join(directory, 'sent-to')]
    writeFileSync(program, `#!/bin/sh\nprintf '%s' "$1" > ${file}.new && mv ${file}.new ${file}\n`, { mode: 0o700 })
    return { program, sentTo: () => (existsSync(file) ? readFileSync(file, 'utf8') : undefined) }
  }
  const sent = (from: ReturnType<typeof browser>): Promise<string> =>
    waitFor(
      () => Promise.resolve(from.sentTo()),
      15_000,
      () => 'a browser to be opened',
    )

  it('is sent to the provider and back to this machine', async () => {
    const opened = browser()
    const login = begin(['login', '--provider', 'corp'], { BROWSER: opened.program })
    const address = new URL(await sent(opened))
    expect(address.searchParams.get('code_challenge_method')).toBe('S256')
    expect(new URL(address.searchParams.get('redirect_uri') ?? '').hostname).toBe('127.0.0.1')
    // A page of another site that guesses the port brings no state of ours.
    const callback = address.searchParams.get('redirect_uri') ?? ''
    expect((await fetch(`${callback}?code=stolen&state=guessed`)).status).toBe(404)
    expect(await issuer.visit(address.href, 'mia')).toContain(callback)
    expect(await login.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('as mia') })
    expect((await sallyport(['whoami'])).stdout).toContain('mia (person; groups ops')
  })

  it('a person who says no, and a code of somebody else', async () => {
    const opened = browser()
    const login = begin(['login', '--provider', 'corp'], { BROWSER: opened.program })
    await issuer.visit(await sent(opened), undefined)
    expect(await login.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('the login was refused at corp') })

    const other = browser()
    rmSync(join(directory, 'sent-to'))
    const second = begin(['login', '--provider', 'corp'], { BROWSER: other.program })
    const address = new URL(await sent(other))
    const callback = new URL(address.searchParams.get('redirect_uri') ?? '')
    callback.search = `code=of-somebody-else&state=${address.searchParams.get('state') ?? ''}&iss=${encodeURIComponent(issuer.issuer)}`
    expect(await (await fetch(callback)).text()).toContain('The login failed')
    expect(await second.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('does not accept this login any more') })
  })

  it('comes back to this machine only, and only with what the gateway sealed', async () => {
    const post = async (path: string, body: object): Promise<{ readonly status: number; readonly text: string }> => {
      const answer = await fetch(`${url()}/api/v1/login/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return { status: answer.status, text: await answer.text() }
    }
    for (const redirectUri of [
      'https://evil.example/callback',
      'http://127.0.0.1.evil.example:1/callback',
      'http://127.0.0.1:1/callback?x=1',
    ])
      expect(await post('browser', { provider: 'corp', redirectUri })).toMatchObject({
        status: 403,
        text: expect.stringContaining('127.0.0.1'),
      })
    expect(await post('browser/finish', { login: 'made.up', returned: 'code=x' })).toMatchObject({ status: 403 })
    expect(await post('browser', { provider: 'open', redirectUri: 'http://127.0.0.1:1/callback' })).toMatchObject({ status: 404 })
  })
})

it('a gateway without providers says so', async () => {
  const bare = await startGateway('identities: []\n')
  try {
    const done = await run(entry, ['login'], { env: environment({ SALLYPORT_URL: `http://${bare.consoleAddress}` }) })
    expect(done).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('no identity provider') })
  } finally {
    await bare.remove()
  }
})
