import { describe, expect, it } from 'vitest'
import { checkedDefinitions } from '../configuration/load.js'
import { inForce } from './in-force.js'
import { reachableTargets } from './reachable.js'
import { tokensFor } from './tokens.js'

const target = { protocol: 'postgres', address: 'h:1', credential: { username: 'u', password: { env: 'P' } } }
const current = inForce(
  1,
  checkedDefinitions(
    {
      identities: [
        { name: 'bot', kind: 'agent', groups: ['agents'] },
        { name: 'ann@example.com', kind: 'person', groups: [] },
      ],
      targets: [
        { ...target, name: 'shop' },
        { ...target, name: 'secret' },
      ],
      grants: [{ groups: ['agents'], targets: ['shop'] }],
    },
    { providers: false, operators: { groups: [], endSessions: [] } },
  ),
  { providers: false, credentialFor: async () => ({ kind: 'none' }) },
)
const bot = { id: 'bot', name: 'bot', kind: 'agent', groups: ['agents'] } as const

describe('what may be reached', () => {
  it('is what is granted, with a string to paste', () => {
    const listeners = [
      { protocol: 'auto', address: '127.0.0.1:7000' },
      { protocol: 'postgres', address: '0.0.0.0:15432' },
    ]
    const strings = (publicHost: string | undefined) =>
      reachableTargets(current, listeners, publicHost, bot).map(({ connection }) => connection)
    expect(strings(undefined)).toEqual(['postgresql://bot:TOKEN@127.0.0.1:15432/shop'])
    expect(strings('gateway.example')).toEqual(['postgresql://bot:TOKEN@gateway.example:15432/shop'])
    expect(reachableTargets(current, [{ protocol: 'auto', address: '[::1]:7' }], undefined, undefined)).toMatchObject([
      { name: 'shop', connection: 'postgresql://IDENTITY:TOKEN@[::1]:7/shop' },
      { name: 'secret' },
    ])
    expect(reachableTargets(current, [], undefined, bot)).toMatchObject([{ name: 'shop', connection: null, endpoint: null }])
  })
})

describe('a token', () => {
  const kept: unknown[] = []
  const table = {
    insert: async (record: unknown) => void kept.push(record),
    list: async () => [],
    byIdentity: async () => [],
    byLookup: async () => undefined,
    revoke: async () => false,
  }
  const tokens = tokensFor({
    table,
    current: () => current,
    providers: false,
    secret: Buffer.alloc(32, 1),
    onRevoked: async () => {},
  })
  const create = (identity: string, onBehalfOf: string | null) =>
    tokens.create({ identity, onBehalfOf, ttlMs: 60_000, createdBy: 'admin' })

  it('is kept as verifiers, never itself', async () => {
    const { token } = await create('bot', 'ann@example.com')
    expect(token.reveal()).toMatch(/^sp_/)
    expect(kept).toHaveLength(1)
    expect(JSON.stringify(kept)).not.toContain(token.reveal())
  })

  it.each([
    ['bott', null, /there is no identity bott; did you mean bot\?/],
    ['nobody', null, /there is no identity nobody; add it to identities/],
    ['bot', 'stranger', /there is no identity stranger/],
    ['ann@example.com', 'bot', /is a person, and persons act for themselves/],
  ])('for %s on behalf of %s is refused', async (identity, onBehalfOf, message) => {
    await expect(create(identity, onBehalfOf)).rejects.toThrow(message)
  })
})
