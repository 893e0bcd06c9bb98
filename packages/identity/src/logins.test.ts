// Logins at a provider that lies: tokens for others, by others, for another errand; and logins that nobody began.

import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createLogins } from './logins.js'
import type { LoginProvider } from './login-provider.js'
import type { Logins } from './logins.js'
import type { TokenRecord } from './tokens.js'

const issuer = 'https://login.example.com'
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

beforeAll(async () => {
  ours = await generateKeyPair('ES256')
  theirs = await generateKeyPair('ES256')
})

beforeEach(async () => {
  kept = []
  logged = []
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
    now: Date.now,
    log: (_level, message, facts) => void logged.push(`${message} ${JSON.stringify(facts)}`),
    fetch: async (url) => {
      if (url === `${issuer}/.well-known/openid-configuration`) return Response.json(metadata)
      if (url === `${issuer}/jwks`) return Response.json(jwks)
      if (url === `${issuer}/device`) return Response.json(device)
      return url === `${issuer}/token` ? answer() : new Response('', { status: 404 })
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
  const { url, state, login: sealed } = await logins.browser('corp', redirectUri)
  const nonce = new URL(url).searchParams.get('nonce')
  answer = () => tokenWith({ nonce, ...claims }, keys)
  return logins.finish(sealed, `code=c&state=${state}`)
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
    const { state, login: sealed } = await logins.browser(undefined, redirectUri)
    answer = async () => Response.json({ access_token: 'a', token_type: 'bearer' })
    await expect(logins.finish(sealed, `code=c&state=${state}`)).rejects.toThrow(/did not work|no ID token/)
  })
})

describe('a browser', () => {
  it('finishes only what was begun here, with the state it left with, and not later than in ten minutes', async () => {
    const { state, login: sealed } = await logins.browser('corp', redirectUri)
    answer = () => tokenWith({})
    const altered = `${sealed.slice(0, -2)}${sealed.endsWith('AA') ? 'BB' : 'AA'}`
    await expect(logins.finish(altered, `code=c&state=${state}`)).rejects.toThrow(/begun at another gateway/)
    await expect(logins.finish('nothing', 'code=c')).rejects.toThrow(/log in again/)
    await expect(logins.finish(sealed, 'code=c&state=other')).rejects.toThrow(/did not work/)
    await expect(logins.finish(sealed, `error=access_denied&state=${state}`)).rejects.toThrow(/refused at corp/)
  })

  it('comes back to this machine alone, or to the console', async () => {
    expect((await logins.browser('corp', 'https://console.example/back')).url).toContain('console.example')
    await expect(logins.browser('corp', 'https://console.example/back/else')).rejects.toThrow(/127\.0\.0\.1/)
    for (const uri of ['https://127.0.0.1:1/x', 'http://localhost:1/x', 'http://127.0.0.1/x', 'http://10.0.0.1:1/x'])
      await expect(logins.browser('corp', uri)).rejects.toThrow(/127\.0\.0\.1/)
  })
})

describe('a code', () => {
  it('is shown without what a terminal would obey', async () => {
    const { userCode } = await logins.device('corp', { from: '10.0.0.1', signal: new AbortController().signal })
    expect(userCode).toBe('AB?[2J-CD')
  })

  it('is given to so many at once from one address, until they leave', async () => {
    const gone = new AbortController()
    const ask = (from: string): Promise<unknown> => logins.device('corp', { from, signal: gone.signal })
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
