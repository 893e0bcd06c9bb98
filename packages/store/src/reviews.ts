// Reviews and what people decided. Deciding and settling are atomic, so that two reviewers or two nodes cannot both be the last.

import { sql } from 'kysely'
import type { Selectable, Transaction } from 'kysely'
import type { Decision, ReviewRecord, ReviewState } from '@sallyport/core'
import type { Notices } from './notices.js'
import type { Database, Tables } from './schema.js'
import { storable, storableJson, storableOrNull, stored, storedJson, storedOrNull } from './text.js'

export interface ReviewTable {
  insert(record: ReviewRecord): Promise<void>
  get(id: string): Promise<ReviewRecord | undefined>
  /** Newest first. */
  list(filter: { readonly state?: ReviewState; readonly limit: number }): Promise<ReviewRecord[]>
  /** Undefined where it is not open any more, or this reviewer has decided already. */
  addDecision(id: string, decision: Decision): Promise<ReviewRecord | undefined>
  /** False where it was not open any more. */
  settle(id: string, state: Exclude<ReviewState, 'open'>, at: Date): Promise<boolean>
  /** Those of sessions that are over, because their gateway was killed: nobody waits for them. Answers how many. */
  withdrawLeft(at: Date): Promise<number>
  /** Called on every node for every change; after a broken connection, for every review that may have changed meanwhile. */
  onChange(listener: (id: string) => void): () => void
}

const CHANNEL = 'review'
const LARGEST_LIST = 1_000
/** After the listening connection broke: what was settled in this time may have been missed. */
const MISSED_WITHIN = sql<Date>`now() - interval '10 minutes'`

type ReviewRow = Selectable<Tables['sallyport.reviews']>
type DecisionRow = Selectable<Tables['sallyport.decisions']>

function decisionOf(row: DecisionRow): Decision {
  return { reviewer: stored(row.reviewer), kind: row.kind, reason: stored(row.reason), at: row.at, groups: storedJson(row.groups) }
}

function recordOf(row: ReviewRow, decisions: readonly DecisionRow[]): ReviewRecord {
  return {
    id: row.id,
    session: row.session,
    statement: row.statement,
    identity: stored(row.identity),
    onBehalfOf: storedOrNull(row.on_behalf_of),
    target: stored(row.target),
    text: stored(row.text),
    parameters: storedJson(row.parameters),
    effects: storedJson(row.effects),
    binding: row.binding,
    asks: storedJson(row.asks),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    state: row.state,
    decisions: decisions.filter((decision) => decision.review === row.id).map(decisionOf),
    settledAt: row.settled_at,
  }
}

async function withDecisions(database: Database, rows: readonly ReviewRow[]): Promise<ReviewRecord[]> {
  if (rows.length === 0) return []
  const ids = rows.map((row) => row.id)
  const decisions = await database.selectFrom('sallyport.decisions').selectAll().where('review', 'in', ids).orderBy('at').execute()
  return rows.map((row) => recordOf(row, decisions))
}

async function insertReview(database: Database, record: ReviewRecord): Promise<void> {
  await database
    .insertInto('sallyport.reviews')
    .values({
      id: record.id,
      session: record.session,
      statement: record.statement,
      identity: storable(record.identity),
      on_behalf_of: storableOrNull(record.onBehalfOf),
      target: storable(record.target),
      text: storable(record.text),
      parameters: storableJson(record.parameters),
      effects: storableJson(record.effects),
      binding: record.binding,
      asks: storableJson(record.asks),
      created_at: record.createdAt,
      expires_at: record.expiresAt,
      state: record.state,
      settled_at: record.settledAt,
    })
    .execute()
}

/** The review's row is locked first: while it is, nobody settles it. */
async function decide(transaction: Transaction<Tables>, id: string, decision: Decision): Promise<ReviewRecord | undefined> {
  const row = await transaction
    .selectFrom('sallyport.reviews')
    .selectAll()
    .where('id', '=', id)
    .where('state', '=', 'open')
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined) return undefined
  const values = {
    review: id,
    reviewer: storable(decision.reviewer),
    kind: decision.kind,
    reason: storable(decision.reason),
    at: decision.at,
    groups: storableJson(decision.groups),
  }
  const inserted = await transaction
    .insertInto('sallyport.decisions')
    .values(values)
    .onConflict((conflict) => conflict.columns(['review', 'reviewer']).doNothing())
    .executeTakeFirst()
  if (inserted.numInsertedOrUpdatedRows !== 1n) return undefined
  return (await withDecisions(transaction, [row]))[0]
}

async function possiblyChanged(database: Database): Promise<string[]> {
  const rows = await database
    .selectFrom('sallyport.reviews')
    .select('id')
    .where((where) => where.or([where('state', '=', 'open'), where('settled_at', '>', MISSED_WITHIN)]))
    .execute()
  return rows.map((row) => row.id)
}

export function reviewTable(database: Database, notices: Notices): ReviewTable {
  const reviews = database.selectFrom('sallyport.reviews').selectAll()
  return {
    async insert(record) {
      await insertReview(database, record)
      await notices.send(CHANNEL, record.id)
    },
    async get(id) {
      return (await withDecisions(database, await reviews.where('id', '=', storable(id)).execute()))[0]
    },
    async list({ state, limit }) {
      const rows = state === undefined ? reviews : reviews.where('state', '=', state)
      return withDecisions(
        database,
        await rows.orderBy('created_at', 'desc').orderBy('id').limit(Math.min(limit, LARGEST_LIST)).execute(),
      )
    },
    async addDecision(id, decision) {
      const record = await database.transaction().execute((transaction) => decide(transaction, storable(id), decision))
      if (record !== undefined) await notices.send(CHANNEL, record.id)
      return record
    },
    async settle(id, state, at) {
      const { numUpdatedRows } = await database
        .updateTable('sallyport.reviews')
        .set({ state, settled_at: at })
        .where('id', '=', storable(id))
        .where('state', '=', 'open')
        .executeTakeFirst()
      if (numUpdatedRows > 0n) await notices.send(CHANNEL, id)
      return numUpdatedRows > 0n
    },
    async withdrawLeft(at) {
      const over = database.selectFrom('sallyport.sessions').select('id').where('ended_at', 'is not', null)
      const rows = await database
        .updateTable('sallyport.reviews')
        .set({ state: 'withdrawn', settled_at: at })
        .where('state', '=', 'open')
        .where('session', 'in', over)
        .returning('id')
        .execute()
      for (const { id } of rows) await notices.send(CHANNEL, id)
      return rows.length
    },
    onChange(listener) {
      const resume = (): void => {
        // Where the database is gone again, the next connection comes back here.
        possiblyChanged(database).then(
          (ids) => ids.forEach(listener),
          () => undefined,
        )
      }
      return notices.subscribe(CHANNEL, listener, resume)
    },
  }
}
