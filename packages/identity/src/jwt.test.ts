// JWTs: the provider's own and nobody else's, over TLS only, and what their claims make of the caller.

import { secret } from '@sallyport/core'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createAuthenticator } from './authenticator.js'
import type { Authenticator, Proved } from './authenticator.js'
import type { KnownIdentity } from './claims.js'
import type { OidcProvider } from './provider.js'

const start = Date.UTC(2026, 10, 23)
const issuer = 'https://login.example.com'
const corp: OidcProvider = { name: 'corp', kind: 'oidc', issuer, audience: 'sallyport', groupsClaim: 'groups' }

/** What a token claims; undefined leaves a claim out. */
type Claims = Readonly<Record<string, unknown>>
type Keys = Awaited<ReturnType<typeof generateKeyPair>>
let ours: Keys
let theirs: Keys
let served: Record<string, () => Response>
let fetched: string[]
let now: number
let identities: KnownIdentity[]
let reason: string
let authenticator: Authenticator

beforeAll(async () => {
  ours = await generateKeyPair('ES256')
  theirs = await generateKeyPair('ES256')
})

function open(provider: OidcProvider = corp): Authenticator {
  return createAuthenticator({
    tokens: {
      byIdentity: () => Promise.resolve([]),
      byLookup: () => Promise.resolve(undefined),
      byId: () => Promise.resolve(undefined),
    },
    identities: () => identities,
    providers: [provider],
    secret: Buffer.from('x'),
    now: () => now,
    onFailure: (said) => (reason = said),
    fetch: (url) => {
      fetched.push(url)
      return Promise.resolve(served[url]?.() ?? new Response('', { status: 404 }))
    },
  })
}

beforeEach(async () => {
  now = start
  fetched = []
  identities = [
    { name: 'bot', kind: 'agent', groups: ['agents'] },
    { name: 'carl', kind: 'person', groups: ['admins'] },
  ]
  reason = ''
  const jwks = { keys: [{ ...(await exportJWK(ours.publicKey)), kid: 'k1', alg: 'ES256' }] }
  served = {
    [`${issuer}/.well-known/openid-configuration`]: () => Response.json({ issuer, jwks_uri: `${issuer}/jwks` }),
    [`${issuer}/jwks`]: () => Response.json(jwks),
  }
  authenticator = open()
})

interface Minting {
  readonly by?: Keys
  readonly header?: { readonly alg?: string; readonly kid?: string; readonly typ?: string }
}

function mint(claims: Claims = {}, { by = ours, header = {} }: Minting = {}): Promise<string> {
  const seconds = start / 1000
  return new SignJWT({
    iss: issuer,
    aud: 'sallyport',
    sub: 'u1',
    preferred_username: 'ada',
    groups: ['dba'],
    iat: seconds,
    exp: seconds + 600,
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header })
    .sign(by.privateKey)
}

function login(token: string, user = '', more: { tls?: boolean; loopback?: boolean } = {}): Promise<Proved> {
  return authenticator.prove({
    user,
    proof: { kind: 'token', token: secret(token) },
    tls: true,
    loopback: false,
    address: '192.0.2.1:1',
    ...more,
  })
}

async function refused(attempt: Promise<unknown>): Promise<string> {
  await expect(attempt).rejects.toMatchObject({ name: 'Denied', code: 'unauthenticated' })
  return reason
}

describe('a JWT', () => {
  it('of the provider tells who it is', async () => {
    const token = await mint({ jti: 'j1' })
    const expected = {
      identity: { id: 'corp:u1', name: 'ada', kind: 'person', groups: ['dba'] },
      token: { id: 'corp:j1', expiresAt: new Date(start + 600_000) },
    }
    expect(await login(token)).toEqual(expected)
    expect(await login(token, 'ada')).toEqual(expected)
    expect(await refused(login(token, 'bo'))).toMatch(/not of this user/)
  })

  it('needs TLS, or not to leave the machine', async () => {
    const token = await mint()
    expect(await refused(login(token, '', { tls: false }))).toMatch(/without TLS/)
    expect((await login(token, '', { tls: false, loopback: true })).identity.name).toBe('ada')
  })

  it.each<[string, Claims, Minting, RegExp]>([
    ['of another key', {}, {}, /signature/],
    ['of another issuer', { iss: 'https://evil.example' }, {}, /no configured issuer/],
    ['of no issuer', { iss: undefined }, {}, /no configured issuer/],
    ['for another audience', { aud: 'crm' }, {}, /aud/],
    ['that is over', { exp: start / 1000 - 31 }, {}, /exp/],
    ['that never ends', { exp: undefined }, {}, /exp/],
    ['that has not begun', { nbf: start / 1000 + 60 }, {}, /nbf/],
    ['of no subject', { sub: undefined }, {}, /sub/],
    ['that ends a session', {}, { header: { typ: 'logout+jwt' } }, /logout\+jwt/],
    ['of an unknown key id', {}, { header: { kid: 'k2' } }, /no applicable key/],
    ['with a strange name', { preferred_username: 'ada\nroot' }, {}, /not a name/],
    ['with a list for a name', { preferred_username: ['ada'] }, {}, /not a name/],
    ['with strange groups', { groups: [1] }, {}, /not a name/],
    ['with endless groups', { groups: Array.from({ length: 1001 }, (_, index) => `g${index}`) }, {}, /more than 1000/],
    ['that takes the name of a configured agent', { preferred_username: 'bot' }, {}, /may not take its name/],
  ])('%s does not pass', async (name, claims, minting, why) => {
    const by = name === 'of another key' ? theirs : ours
    expect(await refused(login(await mint(claims, { ...minting, by })))).toMatch(why)
  })

  it('without a signature, or signed with the public key as a secret, does not pass', async () => {
    const [, payload = ''] = (await mint()).split('.')
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`
    expect(await refused(login(unsigned))).toMatch(/no such token/)
    expect(await refused(login(`${unsigned}AA`))).toMatch(/alg/)
    const shared = new TextEncoder().encode(JSON.stringify(await exportJWK(ours.publicKey)))
    const confused = await new SignJWT({ iss: issuer, aud: 'sallyport', sub: 'u1', exp: start / 1000 + 60 })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .sign(shared)
    expect(await refused(login(confused))).toMatch(/alg/)
  })

  it('is valid a little after its end, since clocks differ, but not when remembered', async () => {
    const token = await mint()
    expect((await login(token)).identity.name).toBe('ada')
    now = start + 640_000
    expect(await refused(login(token))).toMatch(/exp/)
  })

  it('is checked once and remembered', async () => {
    const token = await mint()
    for (let times = 0; times < 5; times += 1) await login(token)
    expect(fetched).toEqual([`${issuer}/.well-known/openid-configuration`, `${issuer}/jwks`])
  })
})

describe('names and groups', () => {
  it('come from the claims that are there', async () => {
    expect((await login(await mint({ preferred_username: undefined, email: 'a@x' }))).identity.name).toBe('a@x')
    const unverified = { preferred_username: undefined, email: 'a@x', email_verified: false }
    expect((await login(await mint(unverified))).identity.name).toBe('u1')
    expect((await login(await mint({ groups: 'one' }))).identity.groups).toEqual(['one'])
    expect((await login(await mint({ groups: undefined }))).identity.groups).toEqual([])
  })

  it('come from the claims that are configured', async () => {
    authenticator = open({ ...corp, usernameClaim: 'upn', groupsClaim: 'roles' })
    expect((await login(await mint({ upn: 'ada@corp', roles: ['ops'] }))).identity).toMatchObject({
      name: 'ada@corp',
      groups: ['ops'],
    })
    expect(await refused(login(await mint()))).toMatch(/upn is not a name/)
  })
})

describe('an agent acting for a person (RFC 8693)', () => {
  it('has its own name and groups, never the person groups', async () => {
    expect((await login(await mint({ act: { sub: 'bot' } }), 'bot')).identity).toEqual({
      id: 'corp:bot',
      name: 'bot',
      kind: 'agent',
      groups: ['agents'],
      onBehalfOf: 'ada',
    })
    expect((await login(await mint({ act: { sub: 'helper', groups: ['robots'] } }))).identity).toMatchObject({
      name: 'helper',
      groups: ['robots'],
      onBehalfOf: 'ada',
    })
    expect((await login(await mint({ act: { sub: 'helper' } }))).identity.groups).toEqual([])
  })

  it('is the last to act, whoever acted before', async () => {
    const claims = { act: { sub: 'bot', act: { sub: 'earlier' } } }
    expect((await login(await mint(claims))).identity.name).toBe('bot')
  })

  it.each<[string, Claims]>([
    ['nobody', { act: {} }],
    ['a text', { act: 'bot' }],
    ['null', { act: null }],
    ['itself', { act: { sub: 'ada' } }],
    ['a configured person', { act: { sub: 'carl' } }],
  ])('that is %s does not pass', async (_, claims) => {
    expect(await refused(login(await mint(claims)))).not.toBe('')
  })
})

describe('a provider', () => {
  const discovery = `${issuer}/.well-known/openid-configuration`

  it.each<[string, () => Record<string, () => Response>, RegExp]>([
    ['that cannot be found', () => ({}), /answered 404/],
    [
      'about another issuer',
      () => ({ [discovery]: () => Response.json({ issuer: 'https://evil', jwks_uri: `${issuer}/jwks` }) }),
      /another issuer/,
    ],
    [
      'with keys in clear',
      () => ({ [discovery]: () => Response.json({ issuer, jwks_uri: 'http://login.example.com/jwks' }) }),
      /not https/,
    ],
    ['that sends without end', () => ({ [discovery]: () => new Response('x'.repeat(600_000)) }), /more than 524288 bytes/],
    ['without keys', () => ({ [discovery]: () => Response.json({ issuer }) }), /no jwks_uri/],
  ])('%s lets nobody in', async (_, pages, why) => {
    served = pages()
    expect(await refused(login(await mint()))).toMatch(why)
  })

  it('that failed is left alone for a while, and its users are not blamed', async () => {
    const whole = served
    served = {}
    const token = await mint()
    for (let times = 0; times < 50; times += 1) await refused(login(token))
    expect(fetched).toHaveLength(1)
    served = whole
    now += 31_000
    expect((await login(token)).identity.name).toBe('ada')
  })

  it('is not asked again and again for key ids that do not exist', async () => {
    await login(await mint())
    for (let times = 0; times < 10; times += 1) await refused(login(await mint({ jti: `${times}` }, { header: { kid: 'k9' } })))
    expect(fetched.filter((url) => url.endsWith('/jwks')).length).toBeLessThanOrEqual(2)
  })

  it('is never followed elsewhere', async () => {
    const options: RequestInit[] = []
    authenticator = createAuthenticator({
      tokens: { byIdentity: () => Promise.resolve([]), byLookup: () => Promise.resolve(undefined) },
      identities: () => [],
      providers: [corp],
      secret: Buffer.from('x'),
      now: () => now,
      fetch: (url, how) => {
        options.push(how)
        return Promise.resolve(served[url]?.() ?? new Response('', { status: 404 }))
      },
    })
    await login(await mint())
    expect(options.map(({ redirect }) => redirect)).toEqual(['error', 'error'])
    expect(options.every(({ signal }) => signal instanceof AbortSignal)).toBe(true)
  })
})
