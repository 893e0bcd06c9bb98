import { describe, expect, it } from 'vitest'
import { apiFixture } from './server.fixture.js'
import { buildApi } from './server.js'

function fixture() {
  const { parts, did } = apiFixture()
  const app = buildApi(parts)
  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    token?: string,
    payload?: object,
    headers: Readonly<Record<string, string>> = {},
  ) => {
    const reply = await app.inject({
      method,
      url: `/api/v1${path}`,
      headers: { host: '127.0.0.1:7080', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(payload === undefined ? {} : { payload }),
    })
    return { status: reply.statusCode, type: reply.headers['content-type'], text: reply.body, headers: reply.headers }
  }
  return { call, did }
}

describe('logging in', () => {
  it('tells providers, and lets who is nobody yet wait for a code', async () => {
    const { call, did } = fixture()
    expect(JSON.parse((await call('GET', '/login')).text)).toEqual({ providers: [{ name: 'corp', flows: ['browser', 'device'] }] })
    const { status, type, text } = await call('POST', '/login/device', undefined, { provider: 'corp' })
    expect([status, type]).toEqual([200, 'application/x-ndjson'])
    const [shown, settled] = text
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    expect(shown).toMatchObject({ userCode: 'ABCD', address: 'https://login.example/device', addressWithCode: null })
    expect(settled).toEqual({ token: 'sp_ofMia', id: 't9', identity: 'mia', expiresAt: new Date(1000).toISOString() })
    expect(did[0]).toEqual(['device', 'corp', '127.0.0.1'])
    expect((await call('POST', '/login/device', undefined, { provider: 'none' })).status).toBe(404)
  })

  it('sends a browser and finishes what it began, and nothing else', async () => {
    const { call } = fixture()
    const redirectUri = 'http://127.0.0.1:5000/callback'
    expect((await call('POST', '/login/browser', undefined, { redirectUri })).text).toContain('https://login.example/auth')
    expect((await call('POST', '/login/browser/finish', undefined, { login: 'sealed', returned: 'code=x' })).text).toContain(
      'sp_ofMia',
    )
    expect((await call('POST', '/login/browser/finish', undefined, { login: 'other', returned: 'code=x' })).status).toBe(403)
    expect((await call('POST', '/login/browser', undefined, {})).status).toBe(400)
  })

  it('sends the console’s browser there and back, and signs in the one that was sent', async () => {
    const { call } = fixture()
    const sent = await call('GET', '/sign-in/with/corp')
    expect([sent.status, sent.headers['location']]).toEqual([
      302,
      'https://login.example/auth?back=http://127.0.0.1:7080/api/v1/sign-in/back',
    ])
    const cookie = String(sent.headers['set-cookie'])
    expect(cookie).toBe('sallyport-login-7080=sealed; Path=/api/v1/sign-in; Max-Age=600; HttpOnly; SameSite=Lax')
    const back = await call('GET', '/sign-in/back?code=c&state=s', undefined, undefined, { cookie: cookie.split(';')[0] ?? '' })
    expect([back.status, back.headers['location']]).toEqual([302, '/'])
    const cookies = [back.headers['set-cookie']].flat().map(String)
    expect(cookies[0]).toMatch(/^sallyport-7080=\S{40,}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/)
    expect(cookies[1]).toContain('sallyport-login-7080=; ')
    for (const other of [{}, { cookie: 'sallyport-login-7080=of-somebody-else' }, { cookie: 'sallyport-login-7080=' }]) {
      const refused = await call('GET', '/sign-in/back?code=c&state=s', undefined, undefined, other)
      expect([refused.status, refused.type, refused.headers['set-cookie']]).toEqual([403, 'text/plain; charset=utf-8', undefined])
    }
  })

  it('is not for ever: so many at once from one address', async () => {
    const { call } = fixture()
    const statuses = []
    for (let index = 0; index < 80; index += 1) statuses.push((await call('POST', '/login/device', undefined, {})).status)
    expect([statuses[0], statuses.at(-1)]).toEqual([200, 429])
  })

  it('logs out of what was shown', async () => {
    const { call } = fixture()
    expect(JSON.parse((await call('DELETE', '/login', 'token-of-ann')).text)).toEqual({ id: 't1', revoked: true })
    expect((await call('DELETE', '/login', 'admin-token')).status).toBe(403)
    expect((await call('DELETE', '/login')).status).toBe(401)
  })
})

it('certifies keys for tokens of identities alone', async () => {
  const { call } = fixture()
  const order = { publicKey: 'ssh-ed25519 AAAA', ttlSeconds: 60 }
  const { status, text } = await call('POST', '/ssh-certificate', 'token-of-ann', order)
  expect([status, JSON.parse(text)]).toEqual([
    200,
    { certificate: 'of t1', identity: 'ann', expiresAt: new Date(60_000).toISOString() },
  ])
  expect((await call('POST', '/ssh-certificate', 'admin-token', order)).status).toBe(403)
  expect((await call('POST', '/ssh-certificate', undefined, order)).status).toBe(401)
  expect((await call('POST', '/ssh-certificate', 'token-of-ann', { ...order, ttlSeconds: 90_000 })).status).toBe(400)
  expect(JSON.parse((await call('GET', '/ssh-authority')).text)).toMatchObject({ hosts: ['[127.0.0.1]:12222'] })
})

describe('who may call', () => {
  it.each([undefined, 'wrong', 'admin-tokem', 'admin-token2', ''])('answers 401 to %s, as a problem', async (token) => {
    const { call } = fixture()
    const { status, type, text, headers } = await call('GET', '/whoami', token)
    expect([status, type, headers['www-authenticate']]).toEqual([401, 'application/problem+json; charset=utf-8', 'Bearer'])
    expect(JSON.parse(text)).toMatchObject({ status: 401, code: 'unauthenticated' })
  })

  const everyone = ['agent', 'ann', 'dora', 'olga', 'otto', 'admin'] as const
  it.each([
    ['GET', '/whoami', undefined, everyone],
    ['GET', '/targets', undefined, everyone],
    ['GET', '/status', undefined, ['olga', 'otto', 'admin']],
    ['GET', '/definitions', undefined, ['olga', 'otto', 'admin']],
    ['GET', '/targets/shop/schema', undefined, ['olga', 'otto', 'admin']],
    ['PUT', '/definitions', { definitions: {} }, ['admin']],
    ['GET', '/tokens', undefined, ['admin']],
    ['DELETE', '/tokens/t1', undefined, ['admin']],
    ['POST', '/verify', {}, ['olga', 'otto', 'admin']],
    ['GET', '/sessions/s1', undefined, ['agent', 'ann', 'olga', 'otto', 'admin']],
    ['GET', '/events?since=2026-01-01T00:00:00Z', undefined, everyone],
    ['POST', '/sessions/s1/end', {}, ['agent', 'ann', 'otto', 'admin']],
    ['GET', '/reviews/r1', undefined, ['agent', 'ann', 'dora', 'admin']],
    ['POST', '/policy/explain', { identity: 'ann', target: 'shop', statement: 'select 1' }, ['ann', 'olga', 'otto', 'admin']],
  ] as const)('%s %s is for those it is for', async (method, path, payload, allowed) => {
    const { call } = fixture()
    const may: string[][] = []
    for (const name of everyone) {
      const { status } = await call(method, path, name === 'admin' ? 'admin-token' : `token-of-${name}`, payload)
      may.push([403, 404].includes(status) ? [] : status === 200 ? [name] : [`${name}: ${status}`])
    }
    expect(may.flat()).toEqual(allowed)
  })

  it('narrows lists to what is one’s own, whatever was asked for', async () => {
    const { call, did } = fixture()
    await call('GET', '/sessions?identity=olga', 'token-of-ann')
    await call('GET', '/statements?text=x', 'token-of-agent')
    await call('GET', '/sessions', 'token-of-olga')
    await call('GET', '/events?identity=olga', 'token-of-ann')
    expect((await call('GET', '/sessions/s1/evidence', 'token-of-ann')).status).toBe(409)
    expect((await call('GET', '/sessions/s1/evidence', 'token-of-dora')).status).toBe(404)
    expect(did).toEqual([
      ['list', { limit: 100, identity: 'olga', mine: 'ann' }],
      ['search', 'x', { limit: 100, mine: 'agent' }],
      ['list', { limit: 100 }],
      ['events', { identity: 'olga', mine: 'ann' }],
    ])
  })

  it('stops guessing after twenty failures, even with a right token, but not the admin', async () => {
    const { call } = fixture()
    for (let i = 0; i < 20; i++) expect((await call('GET', '/whoami', `guess-${i}`)).status).toBe(401)
    expect((await call('GET', '/whoami', 'token-of-ann')).status).toBe(429)
    expect((await call('GET', '/whoami', 'admin-token')).status).toBe(200)
  })
})

describe('where from', () => {
  it.each([
    ['evil.example', 421],
    ['127.0.0.1.evil.example:7080', 421],
    ['localhost:7080', 200],
    ['[::1]:7080', 200],
    ['gateway.example', 200],
    ['a b', 421],
  ])('Host %s gets %i', async (host, expected) => {
    const { call } = fixture()
    expect((await call('GET', '/health', undefined, undefined, { host })).status).toBe(expected)
  })

  it('refuses pages of other sites, and gives none of them leave', async () => {
    const { call } = fixture()
    const refused = await call('GET', '/whoami', 'admin-token', undefined, { origin: 'https://evil.example' })
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([403, undefined])
    expect((await call('GET', '/whoami', 'admin-token', undefined, { origin: 'http://127.0.0.1:7080' })).status).toBe(200)
  })
})

describe('what is said', () => {
  it('names each wrong input', async () => {
    const { call } = fixture()
    const { status, text } = await call('POST', '/tokens', 'admin-token', { identity: 'a', ttlSeconds: 1, extra: 1 })
    expect(status).toBe(400)
    expect(text).toContain('body.ttlSeconds')
    expect(text).toContain('extra')
  })

  it('says nothing of a bug but logs it', async () => {
    const { call, did } = fixture()
    const { status, text } = await call('POST', '/tokens', 'admin-token', { identity: 'a' })
    expect([status, text.includes('a bug')]).toEqual([500, false])
    expect(JSON.stringify(did)).toContain('a bug')
  })

  it('ends a broken stream with a problem that shows nothing', async () => {
    const { call } = fixture()
    const { status, type, text } = await call('GET', '/sessions/s1/replay', 'admin-token')
    const lines = text.trimEnd().split('\n')
    expect([status, type, lines.length]).toEqual([200, 'application/x-ndjson', 2])
    expect(JSON.parse(lines[0] ?? '')).toEqual({ at: 1, from: 'client', text: 'select 1' })
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ problem: { status: 500, code: 'internal' } })
    expect(text).not.toContain('secret')
  })

  it('refuses bodies that are too long before it reads who sends them', async () => {
    const { call } = fixture()
    const long = { reason: 'x'.repeat(100_000) }
    expect((await call('POST', '/reviews/r1/approve', 'token-of-dora', long)).status).toBe(413)
  })

  it('passes a decision on with the groups that were proved', async () => {
    const { call, did } = fixture()
    expect((await call('POST', '/reviews/r1/approve', 'token-of-dora', { reason: 'fine' })).status).toBe(200)
    expect(did[0]).toEqual(['decide', 'r1', { name: 'dora', groups: ['dba'], admin: false }, 'approve', 'fine'])
  })
})
