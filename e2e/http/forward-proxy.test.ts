// The gateway as a forward proxy: known targets end here and are judged, whatever client asks; other hosts are passed by a rule or not at all.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetch as undiciFetch, ProxyAgent } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../backends/certificates.js'
import { openHttpStage, storedKey, type HttpStage } from '../backends/http-stage.js'
import { lacks, program, run, type RunResult } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { decide, openReview } from '../backends/reviews.js'

const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-forward-'))
let stage: HttpStage
let ca: string
let known: Server
let other: Server
const portOf = (server: Server): number => (server.address() as AddressInfo).port

function serve(name: string): Promise<Server> {
  const tls = { cert: readFileSync(join(directory, 'server.crt')), key: readFileSync(join(directory, 'server.key')) }
  const server = createServer(tls, (request, response) => {
    const { headers } = request
    request.resume()
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(
        JSON.stringify({ name, url: request.url, key: headers['x-api-key'], shown: headers.authorization, proxied: headers.via }),
      )
  })
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)))
}

beforeAll(async () => {
  await makeCertificates(directory, directory)
  known = await serve('known')
  other = await serve('other')
  stage = await openHttpStage({
    targets: () => `
  - { name: safe, protocol: http, address: "https://localhost:${portOf(known)}", tlsAuthorities: "${directory}/authority.crt", credential: { header: { name: X-Api-Key, value: { env: CRM_KEY } } } }
  - { name: outside, protocol: http, address: "https://*:${portOf(other)}", patienceSeconds: 3 }
`,
    rules: `
  - { name: no-secret, what: { paths: ["/secret*"] }, then: deny, reason: Not for agents. }
  - { name: packages, where: { targets: [outside] }, what: { kinds: [tunnel], objects: ["localhost:${portOf(other)}"] }, then: allow }
  - { name: ask-first, where: { targets: [outside] }, what: { kinds: [tunnel], objects: ["127.0.0.2:*"] }, then: review, reviewers: { groups: [leads] } }
`,
  })
  ca = join(directory, 'ca.pem')
  writeFileSync(ca, (await stage.gateway.cli(['ca'])).stdout)
})

afterAll(async () => {
  await stage.close()
  for (const server of [known, other]) {
    server.closeAllConnections()
    server.close()
  }
  rmSync(directory, { recursive: true })
})

const proxy = (): string => `http://robot:${stage.token}@127.0.0.1:${stage.port}`
const curl = (...args: readonly string[]): Promise<RunResult> => run(program('curl'), ['-sS', '-m', '15', '-x', proxy(), ...args])
const python = (script: string, ...args: readonly string[]): Promise<RunResult> => run(program('python3'), ['-c', script, ...args])
const noRequests = lacks('python3') || (await python('import requests')).code !== 0

describe('a known target inside CONNECT', () => {
  const safe = (path: string): string => `https://localhost:${portOf(known)}${path}`

  it.each([['--http1.1'], ['--http2']])('by curl %s', async (version) => {
    const answer = await curl(version, '--cacert', ca, safe('/x?a=1'))
    expect(JSON.parse(answer.stdout)).toEqual({ name: 'known', url: '/x?a=1', key: storedKey, proxied: '1.1 sallyport' })
    const denied = await curl(version, '-i', '--cacert', ca, safe('/secret'))
    expect(denied.stdout).toMatch(/^HTTP\/\S+ 403[\s\S]*denied by rule no-secret: Not for agents\./m)
  })

  it('by undici', async () => {
    const authority = readFileSync(ca, 'utf8')
    const dispatcher = new ProxyAgent({ uri: proxy(), requestTls: { ca: authority } })
    const answers = await Promise.all(
      Array.from(
        { length: 20 },
        async (_, n) => (await undiciFetch(safe(`/n/${n}`), { dispatcher })).json() as Promise<{ url: string }>,
      ),
    )
    expect(answers.map(({ url }) => url)).toEqual(Array.from({ length: 20 }, (_, n) => `/n/${n}`))
    expect((await undiciFetch(safe('/secret'), { dispatcher })).status).toBe(403)
    await dispatcher.close()
  })

  it.skipIf(noRequests)("by Python's requests", async () => {
    const script = `
import requests, sys
proxy, ca, url = sys.argv[1:]
s = requests.Session()
s.proxies = {'https': proxy}
s.verify = ca
s.trust_env = False
for i in range(10):
    assert s.get(url + '/n').json()['name'] == 'known'
r = s.post(url + '/secret', json={'a': 1})
print(r.status_code, r.json()['rule'])
`
    const answer = await python(script, proxy(), ca, safe(''))
    expect([answer.stderr, answer.stdout]).toEqual(['', '403 no-secret\n'])
  })

  it('is not believed by who does not trust the authority, and not entered without a token', async () => {
    expect((await curl(safe('/x'))).code).toBe(60)
    const nobody = await run(program('curl'), [
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_connect}',
      '-x',
      `http://127.0.0.1:${stage.port}`,
      safe('/x'),
    ])
    expect(nobody.stdout).toBe('407')
  })

  it('is what its requests go to, whatever Host they name', async () => {
    const answer = await curl('--cacert', ca, '-H', 'Host: elsewhere.example', safe('/host'))
    expect(JSON.parse(answer.stdout)).toMatchObject({ name: 'known', url: '/host' })
  })
})

describe('any other host', () => {
  const out = (host: string, path = '/x'): string => `https://${host}:${portOf(other)}${path}`
  const own = (): readonly string[] => ['--cacert', join(directory, 'authority.crt')]

  it('is denied where no target stands for it', async () => {
    const answer = await curl('-i', 'https://localhost:1/')
    expect([answer.code, answer.stdout]).toEqual([
      56,
      expect.stringMatching(/^HTTP\/1.1 403 no target has the address localhost:1/),
    ])
    expect((await curl('-i', `http://localhost:${portOf(other)}/`)).stdout).toMatch(/^HTTP\/1.1 403/)
  })

  it('is passed by a rule, unseen, with its own certificate, and recorded as a tunnel', async () => {
    const answer = await curl(...own(), out('localhost'))
    expect([answer.stderr, JSON.parse(answer.stdout)]).toEqual(['', { name: 'other', url: '/x' }])
    const [session] = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list', '--target', 'outside')
    const { statementList } = await stage.gateway.json<{
      statementList: readonly { kind: string; text: string; bytes: number; durationMs: number; ruling: { rule: string } }[]
    }>('sessions', 'show', session?.id ?? '')
    expect(statementList[1] ?? statementList[0]).toMatchObject({
      kind: 'tunnel',
      text: `forward to localhost:${portOf(other)}`,
      ruling: { rule: 'packages' },
    })
    expect(statementList.at(-1)?.bytes).toBeGreaterThan(1_000)
    const replay = (await stage.gateway.cli(['replay', session?.id ?? '', '--instant'])).stdout
    expect(replay).toMatch(/tunnel: localhost:\d+: \d+ bytes there, \d+ bytes back/)
    expect(replay).not.toContain(stage.token)
  })

  it('is denied without a rule, under any other spelling of its address too', async () => {
    for (const host of ['127.0.0.1', '127.1', '2130706433', '0x7f.0.0.1', '[::ffff:127.0.0.1]', 'localhost.evil.example']) {
      const answer = await curl('-i', ...own(), out(host))
      expect(answer.stdout).toMatch(/^HTTP\/1.1 403 .*off unless a rule allows it/)
    }
  })

  it('waits for people where a rule says so, and goes through once', async () => {
    const held = curl('-k', out('127.0.0.2'))
    const review = await openReview(stage.gateway, 'forward to 127.0.0.2')
    await decide(stage.gateway, 'approve', review.id, 'lea')
    // Nothing listens there but on 127.0.0.1: what counts is that it was tried.
    expect((await held).stderr).toMatch(/response 502/)
    const late = await curl('-i', '-k', out('127.0.0.2'))
    expect(late.stdout).toMatch(/^HTTP\/1.1 403 .*nobody has yet[\s\S]*retry-after: 15/)
  })

  it('is not asked for by path', async () => {
    expect(
      (await fetch(`http://127.0.0.1:${stage.port}/outside/x`, { headers: { authorization: `Bearer ${stage.token}` } })).status,
    ).toBe(404)
  })

  it('is cut off when the token is revoked', async () => {
    const token = await stage.gateway.token('robot')
    const socket = await new Promise<Socket>((done, fail) => {
      const opening = connect(stage.port, '127.0.0.1', () => {
        const basic = Buffer.from(`robot:${token}`).toString('base64')
        opening.write(
          `CONNECT localhost:${portOf(other)} HTTP/1.1\r\nHost: localhost\r\nProxy-Authorization: Basic ${basic}\r\n\r\n`,
        )
      })
      opening.once('data', () => done(opening)).once('error', fail)
    })
    let closed = false
    socket.once('close', () => (closed = true)).on('error', () => {})
    const tokens = await stage.gateway.json<readonly { id: string; createdAt: string }[]>('token', 'list')
    const newest = tokens.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt))[0]
    await stage.gateway.cli(['token', 'revoke', newest?.id ?? ''])
    await waitFor(
      () => closed || undefined,
      10_000,
      () => 'the tunnel to be cut',
    )
    expect(closed).toBe(true)
  })

  it('can be asked about before', async () => {
    const explain = async (statement: string): Promise<string> =>
      (await stage.gateway.cli(['policy', 'explain', '--identity', 'robot', '--target', 'outside', '--statement', statement]))
        .stdout
    expect(await explain(`CONNECT localhost:${portOf(other)}`)).toContain('packages')
  })
})

describe('sallyport run', () => {
  it('sets proxy and authority for curl, for known targets and for tunnels', async () => {
    const go = (...args: readonly string[]): Promise<RunResult> => stage.gateway.cli(['run', '--as', 'robot', '--', ...args])
    expect((await go('curl', '-sS', `https://localhost:${portOf(known)}/by-run`)).stdout).toContain('"url":"/by-run"')
    const through = await go(
      'curl',
      '-sS',
      '--cacert',
      join(directory, 'authority.crt'),
      `https://localhost:${portOf(other)}/by-run`,
    )
    expect(through.stdout).toContain('"name":"other"')
    expect((await go('curl', '-sS', 'https://localhost:1/')).stderr).toContain('403')
  })

  it.skipIf(noRequests)("and for Python's requests", async () => {
    const script = `import requests; print(requests.get("https://localhost:${portOf(known)}/py").json()["name"])`
    const answer = await stage.gateway.cli(['run', '--as', 'robot', '--', 'python3', '-c', script])
    expect([answer.stderr, answer.stdout]).toEqual(['', 'known\n'])
  })
})
