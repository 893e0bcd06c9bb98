// What was recorded, in the order of time and a page at a time, however much it is: each session when it began and when it ended, and the
// statements between. A place among these can be written down and read on from.

import { sql } from 'kysely'
import { Malformed } from '@sallyport/core'
import type { RecordedEvent } from '@sallyport/core'
import type { Database } from './schema.js'
import { narrowed, statementOf, summaryOf } from './sessions.js'
import type { Whose } from './sessions.js'
import { microsecondsOf } from './sink.js'
import { storable, stored } from './text.js'

export interface EventFilter extends Whose {
  readonly since?: Date
  readonly until?: Date
  /** Reads on from here. */
  readonly after?: string
}

interface Place {
  /** Microseconds since the Unix epoch. */
  readonly at: number
  readonly session: string
  /** Of the statement; -1 where the session begins, and the highest number there is where it ends. */
  readonly number: number
}

interface Placed {
  readonly place: Place
  readonly event: RecordedEvent
}

/** A statement's text and parameters may each be a quarter of a megabyte. */
const EVENTS_A_PAGE = 100
const THE_BEGIN = -1
const THE_END = Number.MAX_SAFE_INTEGER

export async function* readEvents(database: Database, filter: EventFilter): AsyncGenerator<RecordedEvent> {
  const from = filter.after === undefined ? undefined : placeOf(filter.after)
  const sources = [
    pages((after) => sessionPage('began', database, filter, after), from),
    pages((after) => statementPage(database, filter, after), from),
    pages((after) => sessionPage('ended', database, filter, after), from),
  ]
  for await (const { event } of merged(sources)) yield event
}

/** `microseconds/number/session`; a session's id may hold anything, so it comes last. */
function cursorOf({ at, session, number }: Place): string {
  return `${at}/${number}/${session}`
}

function placeOf(cursor: string): Place {
  const [, at, number, session] = /^(\d{1,16})\/(-1|\d{1,16})\/(.{1,128})$/u.exec(cursor) ?? []
  if (at === undefined || number === undefined || session === undefined)
    throw new Malformed('client', 'bad-cursor', `${cursor} is no cursor; take one that an earlier export gave`)
  return { at: Number(at), number: Number(number), session }
}

const moment = (at: number) => sql<Date>`(timestamptz 'epoch' + ${at}::bigint * interval '1 microsecond')`

type Page = (after: Place | undefined) => Promise<readonly Placed[]>

async function* pages(page: Page, from: Place | undefined): AsyncGenerator<Placed> {
  let after = from
  for (;;) {
    const found = await page(after)
    yield* found
    after = found.at(-1)?.place
    if (after === undefined || found.length < EVENTS_A_PAGE) return
  }
}

async function statementPage(database: Database, filter: EventFilter, after: Place | undefined): Promise<readonly Placed[]> {
  let query = narrowed(
    database.selectFrom('sallyport.statements as s').innerJoin('sallyport.sessions', 'sallyport.sessions.id', 's.session'),
    filter,
  )
    .selectAll('sallyport.sessions')
    .select([
      's.number',
      's.at',
      's.kind',
      's.text',
      's.parameters',
      's.effects',
      's.ruling',
      's.cause',
      's.rule',
      's.reason',
      's.reviewers',
      's.masks',
      's.forwarded',
      's.rows',
      's.bytes as answered_bytes',
      's.duration_ms',
      's.error',
      sql<number>`${sql.raw(microsecondsOf('s.at'))}`.as('exact_at'),
    ])
  if (filter.since !== undefined) query = query.where('s.at', '>=', filter.since)
  if (filter.until !== undefined) query = query.where('s.at', '<', filter.until)
  if (after !== undefined)
    query = query.where(
      sql<boolean>`(s.at, s.session, s.number) > (${moment(after.at)}, ${storable(after.session)}, ${after.number}::bigint)`,
    )
  const rows = await query.orderBy('s.at').orderBy('s.session').orderBy('s.number').limit(EVENTS_A_PAGE).execute()
  return rows.map((row) => {
    const place = { at: row.exact_at, session: stored(row.id), number: row.number }
    const statement = statementOf({ ...row, bytes: row.answered_bytes })
    return { place, event: { kind: 'statement', cursor: cursorOf(place), session: summaryOf(row), statement } }
  })
}

async function sessionPage(
  kind: 'began' | 'ended',
  database: Database,
  filter: EventFilter,
  after: Place | undefined,
): Promise<readonly Placed[]> {
  const column = kind === 'began' ? 'started_at' : 'ended_at'
  const number = kind === 'began' ? THE_BEGIN : THE_END
  const connect = sql<boolean>`exists (select from sallyport.statements as s where s.session = id and s.number = 0)`
  let query = narrowed(database.selectFrom('sallyport.sessions'), filter)
    .selectAll()
    .select([sql<number>`${sql.raw(microsecondsOf(column))}`.as('exact_at'), connect.as('connect_ruled')])
    .where(column, 'is not', null)
  if (filter.since !== undefined) query = query.where(column, '>=', filter.since)
  if (filter.until !== undefined) query = query.where(column, '<', filter.until)
  if (after !== undefined) {
    // Of the session whose place this is, there is more to come only where this comes after it.
    const compared = sql.raw(number > after.number ? '>=' : '>')
    query = query.where(sql<boolean>`(${sql.ref(column)}, id) ${compared} (${moment(after.at)}, ${storable(after.session)})`)
  }
  const rows = await query.orderBy(column).orderBy('id').limit(EVENTS_A_PAGE).execute()
  return rows.map((row) => {
    const place = { at: row.exact_at, session: stored(row.id), number }
    const common = { cursor: cursorOf(place), session: summaryOf(row) }
    return { place, event: kind === 'began' ? { kind, ...common, connectRuled: row.connect_ruled } : { kind, ...common } }
  })
}

function isBefore(one: Place, two: Place): boolean {
  if (one.at !== two.at) return one.at < two.at
  return one.session === two.session ? one.number < two.number : one.session < two.session
}

/** Each source is in order; so is what comes out. */
async function* merged(sources: readonly AsyncGenerator<Placed>[]): AsyncGenerator<Placed> {
  const heads: { source: AsyncGenerator<Placed>; head: Placed }[] = []
  for (const source of sources) {
    const next = await source.next()
    if (next.done !== true) heads.push({ source, head: next.value })
  }
  for (;;) {
    const first = heads.reduce<(typeof heads)[number] | undefined>(
      (least, each) => (least === undefined || isBefore(each.head.place, least.head.place) ? each : least),
      undefined,
    )
    if (first === undefined) return
    yield first.head
    const next = await first.source.next()
    if (next.done === true) heads.splice(heads.indexOf(first), 1)
    else first.head = next.value
  }
}
