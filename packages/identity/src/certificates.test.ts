// Certificates as logins: whom each lets in, from where, how long, and which let in nobody.

import type { TokenRecord } from '@sallyport/core'
import { authorityFrom, makeCertificate, publicKeyLine } from '@sallyport/certificates'
import type { Authority, CertificateOrder } from '@sallyport/certificates'
import { beforeEach, describe, expect, it } from 'vitest'
import { createAuthenticator } from './authenticator.js'
import type { Proved } from './authenticator.js'
import { tokenOption } from './certificates.js'
import { createToken } from './tokens.js'

const start = Date.UTC(2026, 10, 24)
const own = authorityFrom(Buffer.alloc(32, 1))
const corp = authorityFrom(Buffer.alloc(32, 2))
const stranger = authorityFrom(Buffer.alloc(32, 3))
const key = authorityFrom(Buffer.alloc(32, 4)).publicKey

let record: TokenRecord
let reason: string
let identities: { name: string; kind: 'person' | 'agent'; groups: string[] }[]
let providers: string[]

beforeEach(() => {
  identities = [
    { name: 'bot', kind: 'agent', groups: ['agents'] },
    { name: 'ada', kind: 'person', groups: ['dba'] },
    { name: 'root', kind: 'person', groups: ['all'] },
  ]
  providers = ['sso']
  const login = { provider: 'sso', id: 'sso:1', groups: ['ops'] }
  const order = { identity: 'mia', onBehalfOf: null, ttlMs: 3_600_000, createdBy: 'x', salt: Buffer.alloc(16), now: start }
  record = createToken({ ...order, login }).record
  reason = ''
})

function prove(shown: Buffer, user = '', address = '10.1.2.3:5000', now = start): Promise<Proved> {
  return createAuthenticator({
    tokens: {
      byIdentity: async () => [],
      byLookup: async () => undefined,
      byId: async (id) => (id === record.id ? record : undefined),
    },
    identities: () => identities,
    providers: providers.map((name) => ({ name, kind: 'oidc', issuer: 'https://x.example', audience: 'x', groupsClaim: 'groups' })),
    certificates: {
      own: own.publicKey,
      others: [{ name: 'corp', publicKey: publicKeyLine(corp.publicKey), principals: ['ada', 'b*'] }],
    },
    secret: Buffer.from('x'),
    now: () => now,
    onFailure: (said) => (reason = said),
  }).prove({
    user,
    proof: { kind: 'certificate', certificate: `ssh-ed25519-cert-v01@openssh.com ${shown.toString('base64')}` },
    tls: true,
    loopback: false,
    address,
  })
}

const seconds = (ms: number): bigint => BigInt(Math.floor(ms / 1000))

function certificate(authority: Authority, more: Partial<CertificateOrder> = {}): Buffer {
  const times = { validAfter: seconds(start - 60_000), validBefore: seconds(start + 600_000) }
  return makeCertificate({ key, kind: 'user', serial: 9n, keyId: 'k', principals: ['ada'], ...times, ...more }, authority)
}
const ours = (more: Partial<CertificateOrder> = {}): Buffer =>
  certificate(own, { principals: ['mia'], criticalOptions: { [tokenOption]: record.id }, ...more })

async function refused(attempt: Promise<unknown>): Promise<string> {
  await expect(attempt).rejects.toThrow('login failed: there is no such identity')
  return reason
}

describe('of our own authority', () => {
  it('stands for the token it was fetched with, and ends with the sooner of both', async () => {
    const identity = { id: 'sso:1', name: 'mia', kind: 'person', groups: ['ops'] }
    expect(await prove(ours())).toEqual({ identity, token: { id: record.id, expiresAt: new Date(start + 600_000) } })
    const long = ours({ validBefore: seconds(start + 86_400_000) })
    expect((await prove(long, 'mia')).token?.expiresAt).toEqual(record.expiresAt)
  })

  it('ends with its token: revoked, expired, gone, or of a provider that is no longer there', async () => {
    record = { ...record, revokedAt: new Date(start) }
    expect(await refused(prove(ours()))).toMatch(/expired or revoked/)
    record = { ...record, revokedAt: null, expiresAt: new Date(start) }
    expect(await refused(prove(ours()))).toMatch(/expired or revoked/)
    const made = ours()
    record = { ...record, id: 'another' }
    expect(await refused(prove(made))).toMatch(/no token that is known/)
    record = { ...record, expiresAt: new Date(start + 1000) }
    providers = []
    expect(await refused(prove(ours()))).toMatch(/no longer configured/)
  })

  it('is of nobody else, and not for a name it does not have', async () => {
    expect(await refused(prove(ours(), 'ada'))).toMatch(/not of this user/)
    expect(await refused(prove(ours({ principals: ['ada'] })))).toMatch(/no token that is known/)
    expect(await refused(prove(ours({ principals: ['mia', 'ada'] })))).toMatch(/did not make/)
    expect(await refused(prove(certificate(own)))).toMatch(/did not make/)
  })
})

describe('of a configured authority', () => {
  it('is the identity of the configuration that it names', async () => {
    const ada = { id: 'ada', name: 'ada', kind: 'person', groups: ['dba'] }
    expect(await prove(certificate(corp))).toEqual({ identity: ada, token: { id: 'corp:9', expiresAt: new Date(start + 600_000) } })
    expect((await prove(certificate(corp, { principals: ['ada', 'bot'] }), 'bot')).identity.name).toBe('bot')
    expect((await prove(certificate(corp, { principals: ['ada', 'nobody-here'] }))).identity.name).toBe('ada')
    expect((await prove(certificate(corp, { validBefore: 2n ** 64n - 1n }))).token).toBeUndefined()
  })

  it('names one, and only whom the authority may name', async () => {
    expect(await refused(prove(certificate(corp, { principals: ['root'] })))).toMatch(/may certify/)
    expect(await refused(prove(certificate(corp, { principals: ['ada', 'root'] }), 'root'))).toMatch(/may certify/)
    expect(await refused(prove(certificate(corp, { principals: ['bart'] })))).toMatch(/may certify/)
    expect(await refused(prove(certificate(corp, { principals: ['ada', 'bot'] })))).toMatch(/several identities/)
    expect(await refused(prove(certificate(corp), 'bot'))).toMatch(/may certify/)
    expect(await refused(prove(certificate(corp, { principals: [] })))).toMatch(/names no principal/)
    // What only our own may say means nothing in another's.
    expect(await refused(prove(certificate(corp, { principals: ['mia'], criticalOptions: { [tokenOption]: record.id } })))).toMatch(
      /critical option/,
    )
  })

  it('is for users, now, and of an authority that is trusted', async () => {
    expect(await refused(prove(certificate(corp, { kind: 'host' })))).toMatch(/a host's/)
    expect(await refused(prove(certificate(corp), '', '10.1.2.3:1', start + 600_000))).toMatch(/not valid now/)
    expect(await refused(prove(certificate(corp), '', '10.1.2.3:1', start - 61_000))).toMatch(/not valid now/)
    expect(await refused(prove(certificate(stranger)))).toMatch(/no authority that is trusted/)
    const forged = Buffer.from(certificate(corp))
    forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1
    expect(await refused(prove(forged))).toMatch(/no authority that is trusted/)
    expect(await refused(prove(Buffer.from('nothing')))).toMatch(/not a key or certificate/)
  })

  it('keeps what is critical: source addresses are checked, all else is refused', async () => {
    const from = (networks: string): Buffer => certificate(corp, { criticalOptions: { 'source-address': networks } })
    expect((await prove(from('192.0.2.0/24,10.0.0.0/8'))).identity.name).toBe('ada')
    expect((await prove(from('2001:db8::/32'), '', '[2001:db8::1]:5000')).identity.name).toBe('ada')
    expect((await prove(from('10.1.2.3'))).identity.name).toBe('ada')
    for (const networks of ['192.0.2.0/24', '10.1.2.4', '::/0'])
      expect(await refused(prove(from(networks)))).toMatch(/other source addresses/)
    for (const networks of ['', 'host', '10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/-1'])
      expect(await refused(prove(from(networks)))).toMatch(/no addresses|not a key or certificate/)
    for (const option of ['force-command', 'verify-required', 'odd@example.com'])
      expect(await refused(prove(certificate(corp, { criticalOptions: { [option]: 'x' } })))).toContain(`critical option ${option}`)
  })
})
