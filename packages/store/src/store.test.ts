// Every table against the real embedded server.

import type { Decision, ReviewRecord, TokenRecord } from '@sallyport/core'
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Misconfigured, Unreachable } from '@sallyport/core'
import { startEmbedded } from './embedded.js'
import type { EmbeddedPostgres } from './embedded.js'
import { migrate } from './migrate.js'
import { migrations } from './migrations.js'
import { openStore } from './store.js'
import type { Store } from './store.js'

const log = (): void => undefined
const directory = join(tmpdir(), `sallyport-db-${randomUUID()}`)
let embedded: EmbeddedPostgres
let store: Store
let other: Store
let hands: Client

beforeAll(async () => {
  embedded = await startEmbedded({ directory, log })
  ;[store, other] = await Promise.all([openStore(embedded.connection), openStore(embedded.connection)])
  hands = new Client(embedded.connection)
  await hands.connect()
}, 60_000)

afterAll(async () => {
  await hands.end()
  await Promise.all([store.close(), other.close()])
  await embedded.stop()
  rmSync(directory, { recursive: true, force: true })
})

const odd = 'select \u0000 \ud800 \u241b'

function token(id: string, change: Partial<TokenRecord> = {}): TokenRecord {
  const scramSha256 = { salt: 'aa', iterations: 4096, storedKey: 'bb', serverKey: 'cc' }
  return {
    id,
    identity: 'agent',
    onBehalfOf: null,
    lookup: `lookup ${id}`,
    verifiers: { scramSha256, mysqlNativePassword: 'dd', cachingSha2Password: 'ee' },
    createdAt: new Date(),
    expiresAt: new Date(Date.now() + 3_600_000),
    revokedAt: null,
    createdBy: 'admin',
    login: null,
    ...change,
  }
}

function review(id: string): ReviewRecord {
  return {
    id,
    session: 's1',
    statement: 3,
    identity: 'agent',
    onBehalfOf: 'ann',
    target: 'orders',
    text: odd,
    parameters: [odd, null],
    effects: [{ access: 'write', verb: 'delete', object: 'public.a', bounded: false }],
    binding: 'ff',
    asks: [{ rule: 'r', reason: odd, reviewers: { groups: ['dba'], names: [], count: 2 }, withinMs: 1000 }],
    createdAt: new Date(),
    expiresAt: new Date(Date.now() + 1000),
    state: 'open',
    decisions: [],
    settledAt: null,
  }
}

const decision = (reviewer: string): Decision => ({ reviewer, kind: 'approve', reason: odd, at: new Date(), groups: ['dba'] })

describe('tokens', () => {
  it('are found while they live', async () => {
    const live = token('t1')
    await store.tokens.insert(live)
    await store.tokens.insert(token('t2', { expiresAt: new Date(0) }))
    expect(await other.tokens.byIdentity('agent')).toEqual([live])
    expect(await other.tokens.byLookup('lookup t1')).toEqual(live)
    expect(await other.tokens.byLookup('nothing')).toBeUndefined()
    const loggedIn = token('t3', { identity: 'mia', login: { provider: 'corp', id: 'corp:1', groups: [odd] } })
    await store.tokens.insert(loggedIn)
    expect(await other.tokens.byId('t3')).toEqual(loggedIn)
    expect(await other.tokens.byId('nothing')).toBeUndefined()
    const at = new Date()
    expect([await other.tokens.revoke('t1', at), await other.tokens.revoke('t1', at)]).toEqual([true, false])
    expect(await store.tokens.byIdentity('agent')).toEqual([])
    expect((await store.tokens.byLookup('lookup t1'))?.revokedAt).toEqual(at)
    expect((await store.tokens.list()).map(({ id }) => id).sort()).toEqual(['t1', 't2', 't3'])
  })
})

describe('reviews', () => {
  it('come back as they were, whatever their text', async () => {
    const record = review('r1')
    await store.reviews.insert(record)
    expect(await other.reviews.get('r1')).toEqual(record)
    expect(await other.reviews.get('nothing')).toBeUndefined()
  })

  it('take one decision a reviewer, and none once settled', async () => {
    await store.reviews.insert(review('r2'))
    const decided = await Promise.all([store, other, store, other].map(({ reviews }) => reviews.addDecision('r2', decision('ann'))))
    expect(decided.filter((record) => record !== undefined)).toHaveLength(1)
    expect((await other.reviews.addDecision('r2', decision('bob')))?.decisions.map(({ reviewer }) => reviewer)).toEqual([
      'ann',
      'bob',
    ])
    const settled = await Promise.all([
      store.reviews.settle('r2', 'approved', new Date()),
      other.reviews.settle('r2', 'expired', new Date()),
    ])
    expect(settled.filter(Boolean)).toHaveLength(1)
    expect(await store.reviews.addDecision('r2', decision('eve'))).toBeUndefined()
    expect((await store.reviews.list({ state: 'open', limit: 10 })).map(({ id }) => id)).toEqual(['r1'])
    expect((await store.reviews.list({ limit: 10 })).map(({ id }) => id)).toEqual(['r2', 'r1'])
  })

  it('tell every node of a change, also after the connection broke', async () => {
    const heard: string[] = []
    const forget = other.reviews.onChange((id) => heard.push(id))
    // The subscription is not awaited; any notice after it stands is heard.
    await expect
      .poll(async () => {
        await store.notices.send('review', 'hello')
        return heard.includes('hello')
      })
      .toBe(true)
    heard.length = 0
    await store.reviews.insert(review('r3'))
    await expect.poll(() => heard).toContain('r3')
    heard.length = 0
    await hands.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sallyport listener'`)
    await store.reviews.addDecision('r3', decision('ann'))
    await expect.poll(() => heard, { timeout: 5_000 }).toContain('r3')
    forget()
  })
})

describe('definitions', () => {
  it('keep every revision and read the newest', async () => {
    expect(await store.definitions.read()).toBeUndefined()
    const first = await store.definitions.write('targets: []', 'ann')
    const second = await other.definitions.write(odd, 'bob')
    expect(second).toBeGreaterThan(first)
    expect(await store.definitions.read()).toEqual({ revision: second, text: odd })
  })
})

describe('sessions', () => {
  it('are listed by who, where, when and whether they live, a page at a time', async () => {
    await hands.query(`
      insert into sallyport.sessions (id, node, identity, identity_id, identity_kind, groups, target, protocol, client_address, tls, started_at,
        ended_at, spool_number, frames, blocks, hash, highest_statement, checkpointed, last_at)
      select 's' || n, 'n1', case n % 2 when 0 then 'ann' else 'bob' end, 'i', 'person', '[]', 'orders', 'postgres', 'a', true,
        timestamptz '2026-01-01' + n * interval '1 hour', case when n < 8 then now() end, n, 0, 0, '', 0, 0, now() from generate_series(1, 9) n`)
    await hands.query(`
      insert into sallyport.statements (session, number, at, kind, text, parameters, effects, held, forwarded)
      select 's' || n, 1, timestamptz '2026-01-01' + n * interval '1 hour', 'query', 'SELECT 100% of_' || n, '[]', '[]', true, 'masked ' || n
      from generate_series(1, 9) n`)
    const ids = async (filter: Parameters<Store['sessions']['list']>[0]): Promise<string> =>
      (await store.sessions.list(filter)).map(({ id }) => id).join(' ')
    expect(await ids({})).toBe('s9 s8 s7 s6 s5 s4 s3 s2 s1')
    expect(await ids({ identity: 'ann', live: false })).toBe('s6 s4 s2')
    expect(await ids({ live: true })).toBe('s9 s8')
    expect(await ids({ since: new Date('2026-01-01T08:00:00Z'), target: 'orders' })).toBe('s9 s8')
    expect(await ids({ limit: 2, before: 's5' })).toBe('s4 s3')
    expect([await ids({ before: 's1' }), await ids({ before: 'none' })]).toEqual(['', ''])
    expect(await ids({ target: 'none' })).toBe('')
  })

  it('are searched by what their statements say, letter for letter', async () => {
    const found = async (text: string): Promise<number> => (await store.sessions.search(text, {})).length
    expect([
      await found('100% OF_3'),
      await found('100%of'),
      await found('of3'),
      await found('Masked'),
      await found('\u0000'),
    ]).toEqual([1, 0, 0, 9, 0])
    expect((await store.sessions.search('of_', { identity: 'ann', limit: 2 })).map(({ session }) => session)).toEqual(['s8', 's6'])
  })

  it('lose none where a page ends within a millisecond of many', async () => {
    await hands.query(`
      insert into sallyport.statements (session, number, at, kind, text, parameters, effects, held)
      select 's1', 10 + n, timestamptz '2026-01-01 00:30:00.123' + (n / 2) * interval '1 microsecond', 'query', 'crowd', '[]', '[]', true
      from generate_series(1, 7) n`)
    const seen: number[] = []
    for (let last: number | undefined, turn = 0; turn < 9; turn++) {
      const before = last === undefined ? {} : { before: { session: 's1', statement: last } }
      const page = await store.sessions.search('crowd', { limit: 2, ...before })
      seen.push(...page.map(({ id }) => id))
      last = page.at(-1)?.id
      if (page.length < 2) break
    }
    expect(seen).toEqual([17, 16, 15, 14, 13, 12, 11])
  })
})

describe('the database', () => {
  it('is refused where a newer Sallyport has been at it, and left as it was where a step fails', async () => {
    const broken = [{ number: migrations.length + 1, name: 'broken', sql: 'create table sallyport.half (a int); select 1/0' }]
    await expect(migrate(hands, [...broken])).rejects.toThrow(/division by zero/)
    expect((await hands.query(`select to_regclass('sallyport.half') as half`)).rows[0]).toEqual({ half: null })
    await hands.query(`insert into sallyport.migrations (number, name) values (99, 'from the future')`)
    await expect(openStore(embedded.connection)).rejects.toThrow(Misconfigured)
    await hands.query('delete from sallyport.migrations where number = 99')
  })

  it('that does not answer is Unreachable', async () => {
    await expect(openStore({ ...embedded.connection, host: '/nowhere' })).rejects.toThrow(Unreachable)
    expect(await store.healthy()).toBe(true)
  })
})
