// The record as replay and verify read it: in order, a few blocks at a time, whatever its size.

import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Block, Checkpoint, SessionFacts, SessionProgress, StatementRow } from './record-types.js'
import type { Database, Statements } from './schema.js'
import { microsecondsOf } from './sink.js'
import { storable, stored, storedJson, storedOrNull } from './text.js'

interface StillFrames {
  session(id: string): Promise<{ readonly facts: SessionFacts; readonly progress: SessionProgress } | undefined>
  /** Every session that a session row, a block or a checkpoint speaks of. */
  sessionIds(): AsyncIterable<string>
  links(session: string): Promise<readonly Pick<Block, 'number' | 'firstFrame' | 'frames' | 'previous' | 'hash'>[]>
  blocks(session: string): AsyncIterable<Block>
  /** Rows of these numbers, both ends included. */
  statements(session: string, from: number, to: number): Promise<readonly StatementRow[]>
  countStatements(session: string): Promise<number>
  checkpointsOf(session: string): AsyncIterable<Checkpoint>
  /** Every checkpoint a key signed. */
  chain(key: string): AsyncIterable<Checkpoint>
  keys(): Promise<readonly { readonly id: string; readonly node: string; readonly publicKey: string }[]>
}

export interface StoredFrames extends StillFrames {
  /** Reads as of one moment, whatever the shipper writes meanwhile. */
  snapshot<T>(work: (still: StillFrames) => Promise<T>): Promise<T>
}

/** Of a quarter of a megabyte each at most, so one page is a few megabytes. */
const BLOCKS_A_PAGE = 16
const ROWS_A_PAGE = 2_000

/** Whole microseconds, where JavaScript's dates have only milliseconds. */
const exact = (column: string) => sql<number>`${sql.raw(microsecondsOf(column))}`
const exactOrNull = (column: string) => sql<number | null>`${sql.raw(microsecondsOf(column))}`

async function readSession(database: Database, id: string): ReturnType<StoredFrames['session']> {
  const row = await database
    .selectFrom('sallyport.sessions')
    .selectAll()
    .select([exact('started_at').as('started'), exact('last_at').as('last'), exactOrNull('ended_at').as('ended')])
    .where('id', '=', storable(id))
    .executeTakeFirst()
  if (row === undefined) return undefined
  return {
    facts: {
      id: stored(row.id),
      node: stored(row.node),
      identity: {
        id: stored(row.identity_id),
        name: stored(row.identity),
        kind: row.identity_kind,
        groups: storedJson(row.groups),
      },
      onBehalfOf: storedOrNull(row.on_behalf_of),
      target: stored(row.target),
      protocol: row.protocol,
      client: { address: row.client_address, application: storedOrNull(row.application), tls: row.tls },
      startedAt: row.started,
    },
    progress: {
      id: stored(row.id),
      spoolNumber: row.spool_number,
      frames: row.frames,
      blocks: row.blocks,
      hash: row.hash,
      statements: row.statements,
      denied: row.denied,
      bytes: row.bytes,
      highestStatement: row.highest_statement,
      checkpointed: row.checkpointed,
      lastAt: row.last,
      endedAt: row.ended,
      outcome: storedOrNull(row.outcome),
    },
  }
}

function statementOf(row: Selectable<Statements> & { readonly exact_at: number }): StatementRow {
  return {
    session: stored(row.session),
    number: row.number,
    at: row.exact_at,
    kind: row.kind,
    text: stored(row.text),
    parameters: storedJson(row.parameters),
    effects: storedJson(row.effects),
    held: row.held,
    provenance: storedOrNull(row.provenance),
    ruling:
      row.ruling === null
        ? null
        : {
            kind: row.ruling,
            cause: row.cause,
            rule: storedOrNull(row.rule),
            reason: storedOrNull(row.reason),
            reviewers: storedJson(row.reviewers ?? []),
            masks: storedJson(row.masks ?? []),
            forwarded: storedOrNull(row.forwarded),
          },
    outcome:
      row.duration_ms === null
        ? null
        : { rows: row.rows ?? 0, bytes: row.bytes ?? 0, durationMs: row.duration_ms, error: storedOrNull(row.error) },
  }
}

async function* readBlocks(database: Database, session: string): AsyncGenerator<Block> {
  let after = 0
  for (;;) {
    const rows = await database
      .selectFrom('sallyport.blocks')
      .select(['number', 'first_frame', 'frames', 'previous', 'hash', 'encoding', 'raw_bytes', 'bytes', exact('first_at').as('at')])
      .where('session', '=', storable(session))
      .where('number', '>', after)
      .orderBy('number')
      .limit(BLOCKS_A_PAGE)
      .execute()
    for (const row of rows) {
      const { number, frames, previous, hash, encoding, bytes } = row
      yield {
        session,
        number,
        firstFrame: row.first_frame,
        frames,
        firstAt: row.at,
        previous,
        hash,
        encoding,
        rawBytes: row.raw_bytes,
        bytes,
      }
    }
    const last = rows.at(-1)
    if (last === undefined) return
    after = last.number
  }
}

/** Keyset paging over (key, number), which is the checkpoints' primary key. */
async function* readCheckpoints(
  database: Database,
  of: { readonly session: string } | { readonly key: string },
): AsyncGenerator<Checkpoint> {
  let after = { key: '', number: 0 }
  for (;;) {
    const all = database.selectFrom('sallyport.checkpoints').selectAll()
    const some = 'key' in of ? all.where('key', '=', storable(of.key)) : all.where('session', '=', storable(of.session))
    const rows = await some
      .where(sql<boolean>`(key, number) > (${after.key}, ${after.number})`)
      .orderBy('key')
      .orderBy('number')
      .limit(ROWS_A_PAGE)
      .execute()
    for (const row of rows)
      yield { key: row.key, number: row.number, session: stored(row.session), body: row.body, signature: row.signature }
    const last = rows.at(-1)
    if (last === undefined) return
    after = last
  }
}

async function* readSessionIds(database: Database): AsyncGenerator<string> {
  let after = ''
  for (;;) {
    const { rows } = await sql<{ id: string }>`
      select id from (
        (select id from sallyport.sessions where id > ${after} order by id limit ${ROWS_A_PAGE})
        union (select distinct session from sallyport.checkpoints where session > ${after} order by session limit ${ROWS_A_PAGE})
        union (select distinct session from sallyport.blocks where session > ${after} order by session limit ${ROWS_A_PAGE})
      ) as ids (id) order by id limit ${ROWS_A_PAGE}`.execute(database)
    for (const { id } of rows) yield stored(id)
    const last = rows.at(-1)
    if (last === undefined) return
    after = last.id
  }
}

export function storedFrames(database: Database): StoredFrames {
  return {
    ...stillFrames(database),
    snapshot: (work) =>
      database
        .transaction()
        .setIsolationLevel('repeatable read')
        .setAccessMode('read only')
        .execute((transaction) => work(stillFrames(transaction))),
  }
}

function stillFrames(database: Database): StillFrames {
  const statements = database.selectFrom('sallyport.statements')
  return {
    session: (id) => readSession(database, id),
    sessionIds: () => readSessionIds(database),
    async links(session) {
      const rows = await database
        .selectFrom('sallyport.blocks')
        .select(['number', 'first_frame', 'frames', 'previous', 'hash'])
        .where('session', '=', storable(session))
        .orderBy('number')
        .execute()
      return rows.map(({ first_frame: firstFrame, ...row }) => ({ ...row, firstFrame }))
    },
    blocks: (session) => readBlocks(database, session),
    async statements(session, from, to) {
      const rows = await statements
        .selectAll()
        .select(exact('at').as('exact_at'))
        .where('session', '=', storable(session))
        .where('number', '>=', from)
        .where('number', '<=', to)
        .orderBy('number')
        .execute()
      return rows.map(statementOf)
    },
    async countStatements(session) {
      const { count } = await statements
        .select((select) => select.fn.countAll<number>().as('count'))
        .where('session', '=', storable(session))
        .executeTakeFirstOrThrow()
      return count
    },
    checkpointsOf: (session) => readCheckpoints(database, { session }),
    chain: (key) => readCheckpoints(database, { key }),
    async keys() {
      const rows = await database
        .selectFrom('sallyport.node_keys')
        .select(['id', 'node', 'public_key'])
        .orderBy('added_at')
        .execute()
      return rows.map((row) => ({ id: row.id, node: stored(row.node), publicKey: row.public_key }))
    },
  }
}
