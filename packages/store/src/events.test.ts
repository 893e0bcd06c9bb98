// The order of time, its pages, and reading on from any place, against the real embedded server.

import type { RecordedEvent } from '@sallyport/core'
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEmbedded } from './embedded.js'
import type { EmbeddedPostgres } from './embedded.js'
import type { EventFilter } from './events.js'
import { openStore } from './store.js'
import type { Store } from './store.js'

const directory = join(tmpdir(), `sallyport-db-${randomUUID()}`)
let embedded: EmbeddedPostgres
let store: Store

beforeAll(async () => {
  embedded = await startEmbedded({ directory, log: () => undefined })
  store = await openStore(embedded.connection)
  const hands = new Client(embedded.connection)
  await hands.connect()
  // Three sessions that begin at one moment, one of which is open; 250 statements in twos of the same moment; one connect on record.
  await hands.query(`
    insert into sallyport.sessions (id, node, identity, identity_id, identity_kind, groups, on_behalf_of, target, protocol, client_address,
      tls, started_at, ended_at, spool_number, frames, blocks, hash, highest_statement, checkpointed, last_at)
    select 's' || n, 'n', case n when 1 then 'ann' else 'bot' end, 'i', 'agent', '[]', case n when 2 then 'ann' end, 't' || n, 'postgres', '',
      false, '2026-01-01 00:00:00.000001Z', case when n < 3 then timestamptz '2026-01-01 00:02:00Z' end, n, 0, 0, '', 0, 0, now()
    from generate_series(1, 3) as n`)
  await hands.query(`
    insert into sallyport.statements (session, number, at, kind, text, parameters, effects, held)
    select 's' || 1 + n % 3, n / 3 + 1, timestamptz '2026-01-01 00:00:01Z' + (n / 2) * interval '1 microsecond', 'query', 'select ' || n, '[]', '[]', true
    from generate_series(0, 249) as n`)
  await hands.query(`
    insert into sallyport.statements (session, number, at, kind, text, parameters, effects, held)
    values ('s3', 0, '2026-01-01 00:00:00.000001Z', 'connect', 'connect', '[]', '[]', true)`)
  await hands.end()
}, 60_000)

afterAll(async () => {
  await store.close()
  await embedded.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function read(filter: EventFilter = {}): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of store.events(filter)) events.push(event)
  return events
}

const cursors = (events: readonly RecordedEvent[]): readonly string[] => events.map(({ cursor }) => cursor)

describe('what was recorded, in order', () => {
  it('comes whole, each thing once, beginnings before and ends after what was done', async () => {
    const events = await read()
    expect(events.length).toBe(3 + 251 + 2)
    expect(new Set(cursors(events)).size).toBe(events.length)
    expect(events.slice(0, 4).map(({ kind, session }) => `${kind} ${session.id}`)).toEqual([
      'began s1',
      'began s2',
      'began s3',
      'statement s3',
    ])
    expect(events.slice(-2).map(({ kind, session }) => `${kind} ${session.id}`)).toEqual(['ended s1', 'ended s2'])
    expect(events.flatMap((event) => (event.kind === 'began' ? [event.connectRuled] : []))).toEqual([false, false, true])
    const times = cursors(events).map((cursor) => Number(cursor.split('/')[0]))
    expect(times).toEqual(times.toSorted((one, two) => one - two))
  })

  it('is read on from any place, also between things of one moment', async () => {
    const all = cursors(await read())
    for (const place of [0, 1, 2, 3, 4, 5, 99, 100, 101, 150, 203, all.length - 2, all.length - 1]) {
      expect(cursors(await read({ after: all[place] ?? '' })), `after ${all[place]}`).toEqual(all.slice(place + 1))
    }
  })

  it('is narrowed by who, where and when', async () => {
    const of = (events: readonly RecordedEvent[]): readonly string[] => [...new Set(events.map(({ session }) => session.id))]
    expect(of(await read({ mine: 'ann' }))).toEqual(['s1', 's2'])
    expect(of(await read({ identity: 'bot' }))).toEqual(['s2', 's3'])
    expect(of(await read({ mine: 'ann', identity: 'bot' }))).toEqual(['s2'])
    expect(of(await read({ target: 't3' }))).toEqual(['s3'])
    expect((await read({ since: new Date('2026-01-01T00:01:00Z') })).map(({ kind }) => kind)).toEqual(['ended', 'ended'])
    expect((await read({ until: new Date('2026-01-01T00:00:01Z') })).length).toBe(4)
    expect((await store.sessions.list({ mine: 'ann' })).map(({ id }) => id)).toEqual(['s2', 's1'])
    expect((await store.sessions.search('select 1', { mine: 'ann', limit: 1000 })).every(({ session }) => session !== 's3')).toBe(
      true,
    )
  })

  it('refuses a place that is none', async () => {
    for (const after of ['', 'x', '1/2', '1/-2/s1', `1/1/${'s'.repeat(200)}`])
      await expect(read({ after })).rejects.toThrow(/no cursor/)
  })
})
