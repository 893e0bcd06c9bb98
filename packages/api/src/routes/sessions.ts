// What was done: sessions, their statements, their replay; and ending a live one.

import type { Line, SessionSummary } from '@sallyport/core'
import { Denied } from '@sallyport/core'
import { z } from 'zod'
import { isOwn, mayEnd, mayReadEverything } from '../caller.js'
import type { Caller } from '../caller.js'
import type { ApiParts, SearchFilter } from '../ports.js'
import { notFound } from '../problem.js'
import { route } from '../route.js'
import type { Route } from '../route.js'

const id = z.strictObject({ id: z.string().min(1).max(128) })
const filter = {
  identity: z.string().max(128).optional(),
  target: z.string().max(63).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
}
const number = z.coerce.number().int().min(0)
const listQuery = z.strictObject({ ...filter, live: z.stringbool().optional(), before: id.shape.id.optional() })
/** `before` and `beforeStatement` together name the last statement of the answer that is read on from. */
const searchQuery = z
  .strictObject({
    ...filter,
    text: z.string().min(1).max(1000),
    before: id.shape.id.optional(),
    beforeStatement: number.optional(),
  })
  .refine(
    (query) => (query.before === undefined) === (query.beforeStatement === undefined),
    'before and beforeStatement go together',
  )
/** `from`: microseconds since the Unix epoch, as in the lines themselves. */
const replayQuery = z.strictObject({ from: number.default(0), format: z.enum(['lines', 'asciicast']).default('lines') })
/** Statements of a few hundred bytes: an answer of a megabyte or so. */
const STATEMENTS_A_PAGE = 2000
const pageQuery = z.strictObject({
  after: z.coerce.number().int().min(-1).default(-1),
  limit: z.coerce.number().int().min(1).max(STATEMENTS_A_PAGE).default(STATEMENTS_A_PAGE),
})
const { limit: _limit, ...whose } = filter
/** `after`: a cursor of an earlier answer. */
const eventsQuery = z.strictObject({
  ...whose,
  until: z.iso.datetime({ offset: true }).optional(),
  after: z.string().max(256).optional(),
})
const endBody = z.strictObject({ reason: z.string().min(1).max(500).default('ended by an operator') })

export const sessionRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/sessions',
    may: 'proved',
    input: z.object({ query: listQuery }),
    answer: ({ caller, query: { live, before, ...rest } }, parts) =>
      parts.sessions.list({
        ...narrowed(caller, rest),
        ...(live === undefined ? {} : { live }),
        ...(before === undefined ? {} : { before }),
      }),
  }),
  route({
    method: 'GET',
    path: '/sessions/:id',
    may: 'proved',
    input: z.object({ params: id, query: pageQuery }),
    answer: async ({ caller, params, query: { after, limit } }, parts) => {
      const session = await readable(caller, params.id, parts)
      const statementList = await parts.sessions.statements(session.id, { after, limit })
      // `more`: ask again with `after` the number of the last one.
      return { ...session, statementList, more: statementList.length === limit }
    },
  }),
  route({
    method: 'GET',
    path: '/sessions/:id/replay',
    may: 'proved',
    input: z.object({ params: id, query: replayQuery }),
    answer: async ({ caller, params, query, signal }, parts) => {
      const session = await readable(caller, params.id, parts)
      if (query.format === 'asciicast') return { lines: parts.sessions.cast(session.id, signal) }
      return { lines: since(query.from, parts.sessions.replay(session.id, signal)) }
    },
  }),
  route({
    method: 'GET',
    path: '/sessions/:id/har',
    may: 'proved',
    input: z.object({ params: id }),
    answer: async ({ caller, params }, parts) => parts.sessions.har((await readable(caller, params.id, parts)).id),
  }),
  route({
    method: 'GET',
    path: '/sessions/:id/evidence',
    may: 'proved',
    input: z.object({ params: id }),
    answer: async ({ caller, params, signal }, parts) => {
      const session = await readable(caller, params.id, parts)
      if (session.endedAt === null)
        throw new Denied('session-open', `session ${session.id} is open; what is not sealed yet proves nothing`)
      return { lines: whileThere(signal, parts.sessions.evidence(session.id)) }
    },
  }),
  route({
    method: 'POST',
    path: '/sessions/:id/end',
    may: 'proved',
    input: z.object({ params: id, body: endBody }),
    answer: async ({ caller, params, body }, parts) => {
      const session = await readable(caller, params.id, parts)
      if (!mayEnd(caller, session)) {
        const who = 'the admin token, a member of a group of operators.endSessions, or whoever opened it'
        throw new Denied('not-allowed', `${caller.name} may not end this session; it takes ${who}`)
      }
      if (session.endedAt !== null) throw new Denied('session-over', `session ${session.id} is over already`)
      await parts.sessions.end(session.id, body.reason)
      parts.log('info', 'session ended', { session: session.id, by: caller.name })
      return { id: session.id, ended: true }
    },
  }),
  route({
    method: 'GET',
    path: '/statements',
    may: 'proved',
    input: z.object({ query: searchQuery }),
    answer: ({ caller, query: { text, before, beforeStatement, ...rest } }, parts) =>
      parts.sessions.search(text, {
        ...narrowed(caller, rest),
        ...(before === undefined || beforeStatement === undefined
          ? {}
          : { before: { session: before, statement: beforeStatement } }),
      }),
  }),
  route({
    method: 'GET',
    path: '/events',
    may: 'proved',
    input: z.object({ query: eventsQuery }),
    answer: async ({ caller, query: { until, after, ...rest }, signal }, parts) => {
      const { limit: _, ...whom } = narrowed(caller, { ...rest, limit: 1 })
      const events = parts.sessions.events({
        ...whom,
        ...(until === undefined ? {} : { until: new Date(until) }),
        ...(after === undefined ? {} : { after }),
      })
      return { lines: whileThere(signal, events) }
    },
  }),
]

/** Who may not read everything sees their own, whatever they ask for. */
function narrowed(caller: Caller, query: z.output<z.ZodObject<typeof filter>>): Omit<SearchFilter, 'before'> {
  const { identity, target, since: after, limit } = query
  return {
    limit,
    ...(identity === undefined ? {} : { identity }),
    ...(target === undefined ? {} : { target }),
    ...(after === undefined ? {} : { since: new Date(after) }),
    ...(mayReadEverything(caller) ? {} : { mine: caller.name }),
  }
}

async function* whileThere<T>(signal: AbortSignal, values: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const value of values) {
    if (signal.aborted) return
    yield value
  }
}

/** A replay is decoded from its beginning; what lies before `from` need not travel. */
async function* since(from: number, lines: AsyncIterable<Line>): AsyncGenerator<Line> {
  for await (const line of lines) if (line.at >= from) yield line
}

/** A session that exists but is not theirs looks to a caller like one that does not. */
async function readable(caller: Caller, sessionId: string, parts: ApiParts): Promise<SessionSummary> {
  const session = await parts.sessions.summary(sessionId)
  if (session === undefined || !(mayReadEverything(caller) || isOwn(caller, session))) throw notFound('session', sessionId)
  return session
}
