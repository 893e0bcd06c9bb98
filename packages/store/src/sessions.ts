// Who did what where, as operators ask for it: lists, one session, its statements, and a search across all of them.

import { sql } from 'kysely'
import type { Selectable, SelectQueryBuilder } from 'kysely'
import type { FoundStatement, RecordedStatement, SessionSummary } from '@sallyport/core'
import type { Database, Sessions, Statements, Tables } from './schema.js'
import { storable, stored, storedJson, storedOrNull } from './text.js'

/** Whose sessions, and where. `mine`: of this identity, and of agents that acted for it. */
export interface Whose {
  readonly identity?: string
  readonly mine?: string
  readonly target?: string
}

export interface SessionFilter extends Whose {
  readonly since?: Date
  readonly live?: boolean
  readonly limit?: number
  /** Reads on after this session, by its id, of an earlier answer. */
  readonly before?: string
}

export interface SearchFilter extends Whose {
  readonly since?: Date
  readonly limit?: number
  /** Reads on after this statement of an earlier answer. */
  readonly before?: { readonly session: string; readonly statement: number }
}

export interface SessionTable {
  /** Newest first. */
  list(filter: SessionFilter): Promise<SessionSummary[]>
  summary(id: string): Promise<SessionSummary | undefined>
  statements(id: string, page?: { readonly after?: number; readonly limit?: number }): Promise<RecordedStatement[]>
  /** Statements whose text or forwarded text contains `text`, letters alike; newest first. */
  search(text: string, filter: SearchFilter): Promise<FoundStatement[]>
}

const USUAL_LIMIT = 100
const LARGEST_LIMIT = 10_000

const limitOf = (limit: number | undefined): number => Math.max(1, Math.min(limit ?? USUAL_LIMIT, LARGEST_LIMIT))

type StatementColumns = Omit<Selectable<Statements>, 'session' | 'held' | 'provenance'>

export function summaryOf(row: Selectable<Sessions>): SessionSummary {
  return {
    id: stored(row.id),
    identity: stored(row.identity),
    onBehalfOf: storedOrNull(row.on_behalf_of),
    target: stored(row.target),
    protocol: row.protocol,
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    statements: row.statements,
    denied: row.denied,
    outcome: storedOrNull(row.outcome),
    kind: row.identity_kind,
    groups: storedJson(row.groups),
    client: row.client_address,
    application: storedOrNull(row.application),
    node: stored(row.node),
    bytes: row.bytes,
  }
}

function rulingOf(row: StatementColumns): RecordedStatement['ruling'] {
  if (row.ruling === null) return null
  return {
    kind: row.ruling,
    rule: storedOrNull(row.rule),
    reason: storedOrNull(row.reason),
    reviewers: storedJson(row.reviewers ?? []),
    cause: row.cause,
    masks: storedJson(row.masks ?? []),
    forwarded: storedOrNull(row.forwarded),
  }
}

export function statementOf(row: StatementColumns): RecordedStatement {
  return {
    id: row.number,
    at: row.at.toISOString(),
    kind: row.kind,
    text: stored(row.text),
    parameters: storedJson(row.parameters),
    effects: storedJson(row.effects),
    ruling: rulingOf(row),
    rows: row.rows,
    bytes: row.bytes,
    durationMs: row.duration_ms,
    error: storedOrNull(row.error),
  }
}

/** The text itself, wherever it stands: LIKE's own signs are literal. */
const containing = (text: string): string => `%${storable(text).replace(/[\\%_]/g, '\\$&')}%`

/** A query over sessions, whatever else is joined to them. */
export function narrowed<DB extends Tables, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB | 'sallyport.sessions', O>,
  { identity, mine, target }: Whose,
): SelectQueryBuilder<DB, TB | 'sallyport.sessions', O> {
  const name = (column: 'identity' | 'on_behalf_of' | 'target', value: string) =>
    sql<boolean>`${sql.ref(`sallyport.sessions.${column}`)} = ${storable(value)}`
  let some = query
  if (identity !== undefined) some = some.where(name('identity', identity))
  if (mine !== undefined) some = some.where(sql<boolean>`(${name('identity', mine)} or ${name('on_behalf_of', mine)})`)
  if (target !== undefined) some = some.where(name('target', target))
  return some
}

function listQuery(
  database: Database,
  filter: SessionFilter,
): SelectQueryBuilder<Tables, 'sallyport.sessions', Selectable<Sessions>> {
  let query = narrowed(database.selectFrom('sallyport.sessions'), filter).selectAll()
  if (filter.since !== undefined) query = query.where('started_at', '>=', filter.since)
  if (filter.live === true) query = query.where('ended_at', 'is', null)
  if (filter.live === false) query = query.where('ended_at', 'is not', null)
  if (filter.before !== undefined) {
    // By the row itself, since the times that callers see have lost their microseconds.
    const last = sql`select started_at, id from sallyport.sessions where id = ${storable(filter.before)}`
    query = query.where(sql<boolean>`(started_at, id) < (${last})`)
  }
  return query.orderBy('started_at', 'desc').orderBy('id', 'desc').limit(limitOf(filter.limit))
}

async function search(database: Database, text: string, filter: SearchFilter): Promise<FoundStatement[]> {
  const pattern = containing(text)
  let query = narrowed(
    database.selectFrom('sallyport.statements as s').innerJoin('sallyport.sessions', 'sallyport.sessions.id', 's.session'),
    filter,
  )
    .selectAll('s')
    .select(['identity as who', 'on_behalf_of', 'target as where'])
    .where((where) => where.or([where('s.text', 'ilike', pattern), where('s.forwarded', 'ilike', pattern)]))
  if (filter.since !== undefined) query = query.where('s.at', '>=', filter.since)
  if (filter.before !== undefined) {
    const { session, statement } = filter.before
    const last = sql`select at, session, number from sallyport.statements where session = ${storable(session)} and number = ${statement}`
    query = query.where(sql<boolean>`(s.at, s.session, s.number) < (${last})`)
  }
  const rows = await query
    .orderBy('s.at', 'desc')
    .orderBy('s.session', 'desc')
    .orderBy('s.number', 'desc')
    .limit(limitOf(filter.limit))
    .execute()
  return rows.map((row) => ({
    session: stored(row.session),
    identity: stored(row.who),
    onBehalfOf: storedOrNull(row.on_behalf_of),
    target: stored(row.where),
    ...statementOf(row),
  }))
}

export function sessionTable(database: Database): SessionTable {
  const statements: SessionTable['statements'] = async (id, page) => {
    const rows = await database
      .selectFrom('sallyport.statements')
      .selectAll()
      .where('session', '=', storable(id))
      .where('number', '>', page?.after ?? -1)
      .orderBy('number')
      .limit(limitOf(page?.limit))
      .execute()
    return rows.map(statementOf)
  }
  return {
    async list(filter) {
      return (await listQuery(database, filter).execute()).map(summaryOf)
    },
    async summary(id) {
      const row = await database.selectFrom('sallyport.sessions').selectAll().where('id', '=', storable(id)).executeTakeFirst()
      return row === undefined ? undefined : summaryOf(row)
    },
    statements,
    search: (text, filter) => search(database, text, filter),
  }
}
