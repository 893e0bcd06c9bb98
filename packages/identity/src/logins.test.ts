// Logins at a provider that lies: tokens for others, by others, for another errand; and logins that nobody began.

import type { TokenRecord } from '@sallyport/core'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createLogins } from './logins.js'
import type { LoginProvider } from './login-provider.js'
import type { Logins } from './logins.js'

const issuer = 'https://login.example.com'
const from = '10.0.0.1:40000'
const redirectUri = 'http://127.0.0.1:5000/callback'
const corp: LoginProvider = {
  name: 'corp',
  kind: 'oidc',
  issuer,
  audience: 'for-the-gateway',
  clientId: 'sallyport',
  groupsClaim: 'groups',
  scopes: ['openid'],
  flows: ['browser', 'device'],
  loginMs: 3_600_000,
}

type Keys = Awaited<ReturnType<typeof generateKeyPair>>
let ours: Keys
let theirs: Keys
let kept: TokenRecord[]
let logged: string[]
let logins: Logins
/** What the provider answers at its token endpoint. */
let answer: () => Promise<Response>
/** How often it was asked what, and whether it is there at all. */
let asked: Record<'discovery' | 'device' | 'token', number>
let down: boolean
let now: number

beforeAll(async () => {
  ours = await generateKeyPair('ES256')
  theirs = await generateKeyPair('ES256')
})

beforeEach(async () => {
  kept = []
  logged = []
  asked = { discovery: 0, device: 0, token: 0 }
  down = false
  now = Date.now()
  const jwks = { keys: [{ ...(await exportJWK(ours.publicKey)), kid: 'k1', alg: 'ES256' }] }
  const metadata = {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    device_authorization_endpoint: `${issuer}/device`,
    id_token_signing_alg_values_supported: ['ES256'],
  }
  const device = { device_code: 'd', user_code: 'AB\u001b[2J-CD', verification_uri: `${issuer}/d`, expires_in: 300, interval: 1 }
  logins = createLogins({
    providers: [corp],
    tokens: { insert: async (record) => void kept.push(record) },
    identities: () => [{ name: 'bot', kind: 'agent', groups: ['agents'] }],
    secret: Buffer.from('x'),
    sealingKey: Buffer.alloc(32, 1),
    redirects: () => ['https://console.example/back'],
    now: () => now,
    log: (_level, message, facts) => void logged.push(`${message} ${JSON.stringify(facts)}`),
    fetch: async (url) => {
      if (url === `${issuer}/jwks`) return Response.json(jwks)
      if (url === `${issuer}/.well-known/openid-configuration`) {
        asked.discovery += 1
        return down ? new Response('', { status: 503 }) : Response.json(metadata)
      }
      if (url === `${issuer}/device`) {
        asked.device += 1
        return Response.json(device)
      }
      if (url !== `${issuer}/token`) return new Response('', { status: 404 })
      asked.token += 1
      return answer()
    },
  })
})

async function tokenWith(claims: Readonly<Record<string, unknown>>, keys = ours): Promise<Response> {
  const token = await new SignJWT({
    sub: '1',
    preferred_username: 'mia',
    groups: ['ops'],
    aud: 'sallyport',
    iss: issuer,
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .setIssuedAt()
    .setExpirationTime(typeof claims['exp'] === 'number' ? claims['exp'] : '5m')
    .sign(keys.privateKey)
  return Response.json({ access_token: 'a', token_type: 'bearer', id_token: token })
}

/** A browser's login where the provider says this, with the nonce it was asked with unless it says another. */
async function login(claims: Readonly<Record<string, unknown>>, keys = ours): Promise<unknown> {
  const { url, state, login: sealed } = await logins.browser('corp', redirectUri, from)
  const nonce = new URL(url).searchParams.get('nonce')
  answer = () => tokenWith({ nonce, ...claims }, keys)
  return logins.finish(sealed, `code=c&state=${state}`, from)
}

describe('an ID token', () => {
  it('of the provider, for us, on this errand, is a login', async () => {
    await login({})
    expect(kept).toMatchObject([
      { identity: 'mia', login: { provider: 'corp', id: 'corp:1', groups: ['ops'] }, createdBy: 'login at corp' },
    ])
    expect((kept[0]?.expiresAt.getTime() ?? 0) - (kept[0]?.createdAt.getTime() ?? 0)).toBe(corp.loginMs)
  })

  it.each([
    ['for another audience', { aud: 'somebody-else' }, /another audience/],
    ['for the gateway as an API, not as a client', { aud: 'for-the-gateway' }, /another audience/],
    ['of another issuer', { iss: 'https://evil.example' }, /did not work/],
    ['of another errand', { nonce: 'another' }, /did not work/],
    ['that ended', { exp: 1 }, /did not work/],
    ['of an agent of ours', { preferred_username: 'bot' }, /bot is an identity of the configuration/],
    ['of somebody’s agent', { act: { sub: 'helper' } }, /agents do not log in/],
    ['without a name', { preferred_username: 7 }, /is not a name/],
  ])('%s is none', async (_what, claims, message) => {
    await expect(login(claims)).rejects.toThrow(message)
    expect(kept).toEqual([])
  })

  it('signed by somebody else is none', async () => {
    await expect(login({}, theirs)).rejects.toThrow(/did not work/)
    expect(logged.join()).toContain('signature verification failed')
  })

  it('that is missing is none', async () => {
    const { state, login: sealed } = await logins.browser(undefined, redirectUri, from)
    answer = async () => Response.json({ access_token: 'a', token_type: 'bearer' })
    await expect(logins.finish(sealed, `code=c&state=${state}`, from)).rejects.toThrow(/did not work|no ID token/)
  })
})

describe('a browser', () => {
  it('finishes only what was begun here, with the state it left with, and not later than in ten minutes', async () => {
    const { state, login: sealed } = await logins.browser('corp', redirectUri, from)
    answer = () => tokenWith({})
    const altered = `${sealed.slice(0, -2)}${sealed.endsWith('AA') ? 'BB' : 'AA'}`
    await expect(logins.finish(altered, `code=c&state=${state}`, from)).rejects.toThrow(/begun at another gateway/)
    await expect(logins.finish('nothing', 'code=c', from)).rejects.toThrow(/log in again/)
    await expect(logins.finish(sealed, 'code=c&state=other', from)).rejects.toThrow(/did not work/)
    await expect(logins.finish(sealed, `error=access_denied&state=${state}`, from)).rejects.toThrow(/refused at corp/)
  })

  it('comes back to this machine alone, or to the console', async () => {
    expect((await logins.browser('corp', 'https://console.example/back', from)).url).toContain('console.example')
    await expect(logins.browser('corp', 'https://console.example/back/else', from)).rejects.toThrow(/127\.0\.0\.1/)
    for (const uri of ['https://127.0.0.1:1/x', 'http://localhost:1/x', 'http://127.0.0.1/x', 'http://10.0.0.1:1/x'])
      await expect(logins.browser('corp', uri, from)).rejects.toThrow(/127\.0\.0\.1/)
  })
})

describe('a code', () => {
  it('is shown without what a terminal would obey', async () => {
    const { userCode } = await logins.device('corp', { from: '10.0.0.1', signal: new AbortController().signal })
    expect(userCode).toBe('AB?[2J-CD')
  })

  it('is given to so many at once from one address, until they leave', async () => {
    const gone = new AbortController()
    const ask = (address: string): Promise<unknown> => logins.device('corp', { from: address, signal: gone.signal })
    for (let count = 0; count < 16; count += 1) await ask('10.0.0.1')
    await expect(ask('10.0.0.1')).rejects.toThrow(/too many logins wait/)
    await ask('10.0.0.2')
    gone.abort()
    await expect(logins.device('corp', { from: '10.0.0.1', signal: new AbortController().signal })).resolves.toBeDefined()
  })

  it('that is refused is told as that', async () => {
    const { settle } = await logins.device('corp', { from: '10.0.0.1', signal: new AbortController().signal })
    answer = async () => Response.json({ error: 'access_denied' }, { status: 400 })
    await expect(settle()).rejects.toThrow('the login was refused at corp')
  })
})

describe('a provider is not asked more often than it bears', () => {
  /** Begins a login by code and leaves it, so many times; tells how often it was let. */
  async function leave(times: number, address: (index: number) => string): Promise<number> {
    let begunAll = 0
    for (let index = 0; index < times; index += 1) {
      const gone = new AbortController()
      const begun = logins.device('corp', { from: address(index), signal: gone.signal })
      begunAll += await begun.then(
        () => 1,
        () => 0,
      )
      gone.abort()
    }
    return begunAll
  }

  it('by one address that leaves each login, whatever its port; it may again in time', async () => {
    expect(await leave(200, (index) => `10.0.0.1:${1000 + index}`)).toBe(60)
    expect(asked.device).toBe(60)
    await expect(logins.device('corp', { from, signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'too-many-requests',
      message: 'too many logins from this address; wait 2 seconds',
    })
    await expect(logins.browser('corp', redirectUri, from)).rejects.toThrow(/from this address/)
    expect(await leave(1, () => '10.0.0.2:1000')).toBe(1)
    now += 2000
    expect(await leave(2, () => from)).toBe(1)
  })

  it('by many addresses; and codes in floods leave browsers their way', async () => {
    expect(await leave(1000, (index) => `10.1.${index >> 8}.${index & 255}:1000`)).toBe(600)
    expect(asked.device).toBe(600)
    await expect(logins.device('corp', { from, signal: new AbortController().signal })).rejects.toThrow(/at this gateway/)
    await expect(logins.browser('corp', redirectUri, from)).resolves.toBeDefined()
  })

  it('by one browser’s login that is finished again and again', async () => {
    const { state, login: sealed } = await logins.browser('corp', redirectUri, from)
    answer = async () => Response.json({ error: 'invalid_grant' }, { status: 400 })
    for (let count = 0; count < 100; count += 1) await logins.finish(sealed, `code=c&state=${state}`, from).catch(() => {})
    expect(asked.token).toBe(59)
  })

  it('where it is down: one question in five seconds', async () => {
    down = true
    for (let count = 0; count < 5; count += 1)
      await expect(logins.browser('corp', redirectUri, from)).rejects.toThrow(/did not work/)
    expect(asked.discovery).toBe(1)
    down = false
    now += 5000
    await expect(logins.browser('corp', redirectUri, from)).resolves.toBeDefined()
    expect(asked.discovery).toBe(2)
  })

  it('for nobody who waits', async () => {
    await expect(logins.device('corp', { from, signal: AbortSignal.abort() })).rejects.toThrow(/nobody waits/)
    expect(asked.device).toBe(0)
  })
})
