// Who gets in, who does not, and that all who do not are told the same.

import { Denied, secret } from '@sallyport/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { createAuthenticator } from './authenticator.js'
import { createToken } from './tokens.js'
import { scramSalt, tokenVerifiers } from './verifiers.js'
import type { Proof, TokenRecord } from '@sallyport/core'
import type { Authenticator, LoginProof, Proved } from './authenticator.js'
import type { KnownIdentity } from './claims.js'
import type { TokenTable } from './tokens.js'

const installation = Buffer.from('an installation secret')
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
const start = Date.UTC(2026, 10, 23)

class Tokens implements TokenTable {
  readonly records: TokenRecord[] = []
  broken = false
  lookups = 0
  insert(record: TokenRecord): Promise<void> {
    this.records.push(record)
    return Promise.resolve()
  }
  list(): Promise<readonly TokenRecord[]> {
    return Promise.resolve(this.records)
  }
  byIdentity(name: string): Promise<readonly TokenRecord[]> {
    this.lookups += 1
    return this.broken
      ? Promise.reject(new Error('no database'))
      : Promise.resolve(this.records.filter(({ identity }) => identity === name))
  }
  byId(id: string): Promise<TokenRecord | undefined> {
    return Promise.resolve(this.records.find((record) => record.id === id))
  }

  byLookup(lookup: string): Promise<TokenRecord | undefined> {
    this.lookups += 1
    return this.broken
      ? Promise.reject(new Error('no database'))
      : Promise.resolve(this.records.find((record) => record.lookup === lookup))
  }
  revoke(id: string, at: Date): Promise<boolean> {
    const index = this.records.findIndex((record) => record.id === id)
    const found = this.records[index]
    if (found !== undefined) this.records[index] = { ...found, revokedAt: at }
    return Promise.resolve(found !== undefined)
  }
}

let now: number
let tokens: Tokens
let identities: KnownIdentity[]
let reasons: string[]
let authenticator: Authenticator

beforeEach(() => {
  now = start
  tokens = new Tokens()
  identities = [
    { name: 'bot', kind: 'agent', groups: ['agents'], sshKeys: [`${key} bot@laptop`] },
    { name: 'ada', kind: 'person', groups: ['dba'] },
  ]
  reasons = []
  authenticator = createAuthenticator({
    tokens,
    identities: () => identities,
    providers: [],
    secret: installation,
    now: () => now,
    onFailure: (reason, login) => reasons.push(`${login.user} ${login.proof}: ${reason}`),
  })
})

async function issue(
  identity: string,
  onBehalfOf: string | null = null,
  ttlMs = 3_600_000,
): Promise<{ token: string; record: TokenRecord }> {
  const made = createToken({ identity, onBehalfOf, ttlMs, createdBy: 'ada', salt: scramSalt(installation, identity), now })
  await tokens.insert(made.record)
  return { token: made.token.reveal(), record: made.record }
}

const login = (user: string, proof: Proof, more: Partial<LoginProof> = {}): Promise<Proved> =>
  authenticator.prove({ user, proof, tls: true, loopback: false, address: '192.0.2.1:5000', ...more })
const clear = (token: string): Proof => ({ kind: 'token', token: secret(token) })
const answer = (token: string): Proof => ({
  kind: 'challenge',
  answers: (verifiers) => verifiers.mysqlNativePassword === tokenVerifiers(token, new Uint8Array(16)).mysqlNativePassword,
})

async function refused(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Denied)
  expect(error).toMatchObject({
    code: 'unauthenticated',
    message: 'login failed: there is no such identity, or its token is wrong, expired or revoked',
  })
  expect(error).not.toHaveProperty('cause', expect.anything())
  return reasons.at(-1) ?? ''
}

describe('a token in clear', () => {
  it('tells who it is, and for whom', async () => {
    const { token, record } = await issue('bot', 'ada')
    expect(token).toMatch(/^sp_[0-9A-Za-z]{36}$/)
    expect(await login('bot', clear(token))).toEqual({
      identity: { id: 'bot', name: 'bot', kind: 'agent', groups: ['agents'], onBehalfOf: 'ada' },
      token: { id: record.id, expiresAt: new Date(start + 3_600_000) },
    })
    expect((await login('', clear(token))).identity.name).toBe('bot')
  })

  it('is not kept', async () => {
    const { token, record } = await issue('bot')
    expect(JSON.stringify(record)).not.toContain(token.slice(3))
  })

  it('is of nobody else', async () => {
    const { token } = await issue('bot')
    expect(await refused(login('ada', clear(token)))).toMatch(/ada token: token \w+ is not of this user/)
  })

  it('that is wrong, expired, revoked or of nobody configured does not pass', async () => {
    const { token, record } = await issue('bot')
    expect(await refused(login('bot', clear(`${token}x`)))).toMatch(/no such token/)
    now = start + 3_600_000
    expect(await refused(login('bot', clear(token)))).toMatch(/expired or revoked/)
    now = start
    identities = []
    expect(await refused(login('bot', clear(token)))).toMatch(/no longer configured/)
    identities = [{ name: 'bot', kind: 'agent', groups: [] }]
    await tokens.revoke(record.id, new Date(now))
    expect(await refused(login('bot', clear(token)))).toMatch(/expired or revoked/)
  })
})

describe('a challenge', () => {
  it('is answered from any live token of the identity', async () => {
    const first = await issue('bot')
    const second = await issue('bot')
    expect((await login('bot', answer(first.token))).token?.id).toBe(first.record.id)
    expect((await login('bot', answer(second.token))).token?.id).toBe(second.record.id)
  })

  it('is not answered from a dead token, another identity, or for nobody', async () => {
    const { token, record } = await issue('bot')
    expect(await refused(login('ada', answer(token)))).toMatch(/none of 0 live tokens/)
    expect(await refused(login('', answer(token)))).toMatch(/for nobody/)
    await tokens.revoke(record.id, new Date(now))
    expect(await refused(login('bot', answer(token)))).toMatch(/none of 0/)
  })

  it('is tried against the newest hundred tokens only', async () => {
    const oldest = await issue('bot')
    for (let more = 0; more < 100; more += 1) {
      tokens.records.push({
        ...oldest.record,
        id: `t${more}`,
        createdAt: new Date(start + 1 + more),
        verifiers: { ...oldest.record.verifiers, mysqlNativePassword: '' },
      })
    }
    expect(await refused(login('bot', answer(oldest.token)))).toMatch(/none of 100/)
  })

  it('opens the same for one user each time, and as well for one that does not exist', async () => {
    const bot = await authenticator.challenge('bot')
    const nobody = await authenticator.challenge('nobody')
    expect(await authenticator.challenge('bot')).toEqual(bot)
    expect(await authenticator.challenge('nobody')).toEqual(nobody)
    expect(nobody.salt).toHaveLength(bot.salt.length)
    expect(nobody.iterations).toBe(bot.iterations)
    const { record } = await issue('bot')
    expect(Buffer.from(bot.salt).toString('hex')).toBe(record.verifiers.scramSha256.salt)
  })
})

describe('a challenge where providers are configured', () => {
  const provider = {
    name: 'corp',
    kind: 'oidc',
    issuer: 'https://login.example.com',
    audience: 'sallyport',
    groupsClaim: 'groups',
  } as const
  const open = (): Authenticator =>
    createAuthenticator({ tokens, identities: () => identities, providers: [provider], secret: installation, now: () => now })

  it('asks for a clear proof only of whom no live token is known', async () => {
    await issue('bot')
    expect((await open().challenge('bot')).clear).toBeUndefined()
    expect((await open().challenge('ada')).clear).toBe(true)
    now += 3_600_000
    expect((await open().challenge('bot')).clear).toBe(true)
    expect((await authenticator.challenge('ada')).clear).toBeUndefined()
  })

  it('asks nobody for a clear proof because the database is away', async () => {
    tokens.broken = true
    expect((await open().challenge('ada')).clear).toBeUndefined()
  })
})

describe('a public key', () => {
  it('is of whom the configuration says, whatever its comment', async () => {
    expect((await login('', { kind: 'publicKey', key })).identity.name).toBe('bot')
    expect((await login('bot', { kind: 'publicKey', key: `${key} other` })).identity.kind).toBe('agent')
    expect(await refused(login('ada', { kind: 'publicKey', key }))).toMatch(/no configured identity/)
    expect(await refused(login('', { kind: 'publicKey', key: key.replace('AAA=', 'BBB=').replace(/A$/, 'B') }))).toMatch(
      /no configured/,
    )
  })

  it('of several identities needs a name', async () => {
    identities = [...identities, { name: 'bot2', kind: 'agent', groups: [], sshKeys: [key] }]
    expect(await refused(login('', { kind: 'publicKey', key }))).toMatch(/several identities/)
    expect((await login('bot2', { kind: 'publicKey', key })).identity.name).toBe('bot2')
  })
})

it('a certificate is of no configured authority', async () => {
  expect(await refused(login('bot', { kind: 'certificate', certificate: 'x' }))).toMatch(/no configured authority/)
})

describe('failures', () => {
  it('of one user at one client are counted, and forgotten with time', async () => {
    const { token } = await issue('bot')
    for (let failed = 0; failed < 20; failed += 1) await refused(login('bot', clear('sp_wrong')))
    const lookups = tokens.lookups
    expect(await refused(login('bot', clear(token)))).toMatch(/too many failed logins/)
    expect(tokens.lookups).toBe(lookups)
    expect((await login('bot', clear(token), { address: '192.0.2.2:1' })).identity.name).toBe('bot')
    expect((await login('', clear(token))).identity.name).toBe('bot')
    now += 6_000
    expect((await login('bot', clear(token))).identity.name).toBe('bot')
  })

  it('of a whole client are counted too', async () => {
    const { token } = await issue('bot')
    for (let failed = 0; failed < 200; failed += 1) await refused(login(`user${failed}`, clear('sp_wrong')))
    expect(await refused(login('bot', clear(token)))).toMatch(/too many/)
  })

  it('of the database deny, and count against nobody', async () => {
    const { token } = await issue('bot')
    tokens.broken = true
    for (let failed = 0; failed < 300; failed += 1) expect(await refused(login('bot', clear(token)))).toMatch(/no database/)
    tokens.broken = false
    expect((await login('bot', clear(token))).identity.name).toBe('bot')
  })
})

describe('making a token', () => {
  it.each([0, -1, Number.NaN, 400 * 24 * 3_600_000])('refuses to let it live %s ms', (ttlMs) => {
    expect(() => createToken({ identity: 'a', onBehalfOf: null, ttlMs, createdBy: 'x', salt: new Uint8Array(16), now })).toThrow(
      /366 days/,
    )
  })

  it('refuses an identity that acts for itself', () => {
    expect(() => createToken({ identity: 'a', onBehalfOf: 'a', ttlMs: 1, createdBy: 'x', salt: new Uint8Array(16), now })).toThrow(
      /itself/,
    )
  })
})
