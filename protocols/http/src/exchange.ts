// The life of one request: who, where, what, may it, and only then on to the target.

import { createHash } from 'node:crypto'
import type { Mask, Ruling, Settled, Statement, Traced } from '@sallyport/core'
import { holdsToken as holdsStandIn } from '@sallyport/masking'
import { Answering } from './answer.js'
import type { Connection, Shared } from './connection.js'
import { basePath, forTarget, holdsToken } from './headers.js'
import { waitingDenial } from './holding.js'
import type { Held } from './holding.js'
import { fieldsOf } from './message.js'
import type { Fields, Reply, Request } from './message.js'
import { covered, ExchangeRecord } from './record.js'
import { badRequest, problemOf, problemOfDenial, refuse, render, unauthenticated } from './refusal.js'
import type { Problem } from './refusal.js'
import { Refused } from './refusal.js'
import { drain, passedOn, readAhead } from './request-body.js'
import type { Body } from './request-body.js'
import { routeOf, shownBy } from './routing.js'
import type { Route, Shown } from './routing.js'
import type { Place } from './sessions.js'
import { statementOf, understand } from './understand.js'
import type { Understood } from './understand.js'

/** A request on its way, with all that was found out about it. */
export interface Exchange {
  readonly request: Request
  readonly reply: Reply
  readonly fields: Fields
  readonly method: string
  readonly route: Route
  readonly shown: Shown
  readonly place: Place
  readonly connection: Connection
  readonly shared: Shared
  /** Aborted when the caller is gone. */
  readonly gone: AbortSignal
}

/** `goOn`: sends 100 Continue where the caller waits for it. */
export async function serveRequest(
  request: Request,
  reply: Reply,
  connection: Connection,
  shared: Shared,
  goOn: () => void,
): Promise<void> {
  const headOnly = request.method === 'HEAD'
  const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(request.url ?? '')
  const gone = new AbortController()
  reply.once('close', () => gone.abort())
  try {
    const fields = fieldsOf(request)
    refuseSmuggled(fields)
    const route = routeOf(request, fields, connection.facts.tls, shared.targets, connection.fixed?.target)
    const shown = connection.fixed?.shown ?? shownBy(fields)
    if (shown === undefined)
      throw new Refused(unauthenticated('show an access token: Authorization: Bearer TOKEN, or Sallyport-Token', absolute))
    const place = await shared.sessions.enter(shown, route.target, connection.facts, connection.gate)
    const done = place.begin()
    reply.once('close', done)
    try {
      await judged(
        { request, reply, fields, method: request.method ?? '', route, shown, place, connection, shared, gone: gone.signal },
        goOn,
      )
    } catch (error) {
      done()
      throw error
    }
  } catch (error) {
    const problem = problemOf(error, absolute)
    if (problem.status === 500)
      connection.gate.log('error', 'bug: a request failed in an unexpected way', {
        stack: error instanceof Error ? error.stack : String(error),
      })
    refuse(reply, problem, headOnly)
    drain(request)
  }
}

/** Node's parser refuses all of these by itself; a second look costs nothing and does not depend on its settings (RFC 9112, section 6). */
function refuseSmuggled(fields: Fields): void {
  const lengths = fields.filter(([name]) => name === 'content-length')
  const codings = fields.filter(([name]) => name === 'transfer-encoding')
  if (lengths.length > 1 || (lengths.length === 1 && !/^\d{1,15}$/.test(lengths[0]?.[1] ?? '')))
    throw badRequest('bad-length', 'the request has no single length')
  if (codings.length > 0 && lengths.length > 0)
    throw badRequest('two-lengths', 'the request has both a length and a transfer coding')
  if (codings.length > 1 || (codings.length === 1 && codings[0]?.[1].trim().toLowerCase() !== 'chunked')) {
    throw badRequest('bad-coding', 'chunked is the only transfer coding that is taken', 501)
  }
}

async function judged(exchange: Exchange, goOn: () => void): Promise<void> {
  const { request, fields, method, route, place } = exchange
  const { session } = place
  const { target } = session
  if (holdsToken(route.path, exchange.shown.token))
    throw badRequest('token-in-path', 'an access token must not stand in the path or the query')
  const limit = session.mayRule ? (target.http?.readBodyBytes ?? 0) : 0
  const body = await readAhead(request, fields, limit, goOn)
  const understood = understand(target, method, route.path, fields, body.seen)
  const decided = await decide(exchange, understood, body)
  if (decided.ruling.kind === 'deny') return denied(exchange, decided)
  if (!Buffer.isBuffer(body.seen)) goOn()
  await forward(exchange, understood, body, decided.statement, decided.ruling)
}

interface Decided {
  readonly statement: number
  readonly ruling: Ruling
  readonly more?: Readonly<Record<string, string>>
}

async function decide(exchange: Exchange, understood: Understood, body: Body): Promise<Decided> {
  const { place, method, route, fields } = exchange
  const binding = bindingOf(method, route, fields, body)
  const before = binding === undefined ? undefined : place.held.claim(binding)
  if (before !== undefined) return await resume(exchange, understood, before)
  const statement = statementOf(place.nextStatement(), understood)
  const unseen = new AbortController()
  const refusal = writtenBack(statement, understood, body)
  let held: Held | undefined
  const settled = place.session.judge(statement, {
    trace: (masks) => traced(masks, understood),
    signal: unseen.signal,
    onWait: ({ review, address }) => {
      // Nobody can agree to what is not there yet, and what waits must have a place to wait in.
      if (binding === undefined || place.held.full) unseen.abort()
      else queueMicrotask(() => held !== undefined && Object.assign(held, { review, address }))
    },
    ...(refusal === undefined ? {} : { refusal }),
  })
  if (!(settled instanceof Promise)) return { statement: statement.id, ruling: settled }
  if (binding === undefined) return { statement: statement.id, ruling: unheld(await settled) }
  held = place.held.add(statement.id, binding, settled)
  return await waited(exchange, held)
}

/** The same request again, after its caller's patience had run out. */
async function resume(exchange: Exchange, understood: Understood, held: Held): Promise<Decided> {
  const decided = await waited(exchange, held)
  if (decided.ruling.kind === 'deny') return decided
  // The rules may have changed since people agreed.
  const now = await exchange.place.session.judge(statementOf(held.statement, understood), {
    phase: 'prepare',
    trace: (masks) => traced(masks, understood),
  })
  return now.kind === 'deny' ? { statement: held.statement, ruling: now } : decided
}

async function waited({ place, gone }: Exchange, held: Held): Promise<Decided> {
  const patienceMs = place.session.target.http?.patienceMs ?? 0
  const found = await place.held.wait(held, patienceMs, gone)
  if (found.kind === 'ruled') return { statement: held.statement, ruling: found.ruling }
  return { statement: held.statement, ruling: waitingDenial(held), more: { 'retry-after': '15' } }
}

function unheld(ruling: Ruling): Ruling {
  if (ruling.kind !== 'deny' || ruling.cause !== 'review-withdrawn') return ruling
  return {
    ...ruling,
    cause: 'not-understood',
    reason: 'a person must agree to this, and its body is too long to be shown to one',
    hint: 'Send a shorter body.',
  }
}

/** All of a request that a person agrees to; undefined where not all of it is known. */
function bindingOf(method: string, route: Route, fields: Fields, body: Body): string | undefined {
  if (body.seen === 'unseen') return undefined
  const about = fields.filter(([name]) => /^(?:content-|accept$|x-http-method|x-method-override|if-|range$|prefer$)/.test(name))
  const hash = createHash('sha256').update(JSON.stringify([method, route.path, about]))
  return (body.seen === 'absent' ? hash : hash.update(body.seen)).digest('hex')
}

function traced(masks: readonly Mask[], understood: Understood): Settled<Traced> {
  const byField = masks.some((mask) => !mask.column.startsWith('@'))
  const { renames } = understood.facts
  return byField && renames !== undefined
    ? { kind: 'untraceable', reason: `${renames}, so that it cannot be found in the answer` }
    : { kind: 'traced' }
}

/** A stand-in for a masked value must not come back as if it were the value. */
function writtenBack(statement: Statement, understood: Understood, body: Body): string | undefined {
  if (understood.effects.every((effect) => effect.access === 'read') || !Buffer.isBuffer(body.seen)) return undefined
  const held = holdsStandIn(body.seen.toString('latin1')) || holdsStandIn(statement.text)
  return held ? 'it would write a stand-in of a masked value (tok_...) back as if it were the value' : undefined
}

/** The refusal is recorded as its caller sees it. */
async function denied(exchange: Exchange, { statement, ruling, more }: Decided): Promise<void> {
  if (ruling.kind !== 'deny') return
  const { place, reply, request } = exchange
  const plain = problemOfDenial(ruling, place.session.id, statement)
  const problem: Problem =
    more === undefined ? plain : { ...plain, title: 'Waiting for review', code: 'review-open', headers: more }
  const { headers, body } = render(problem)
  // One that still waits has not ended; what it was told meanwhile is in the review.
  if (!place.over && more === undefined) {
    const record = new ExchangeRecord(place.session, statement)
    record.request(exchange.method, exchange.route.path, recordable(exchange.fields, exchange.shown))
    record.response(problem.status, headers)
    record.body('upstream', body)
    place.session.outcome({ statement, rows: 0, bytes: body.length, durationMs: 0, error: `${problem.status} ${problem.detail}` })
    await place.session.settled()
  }
  refuse(reply, problem, request.method === 'HEAD')
  drain(request)
}

/** What the caller showed stays out, wherever else it was put. */
function recordable(fields: Fields, shown: Shown): Fields {
  return fields.flatMap(([name, value]) => {
    if (shown.carriers.includes(name)) return []
    return [[name, holdsToken(value, shown.token) ? covered : value] as const]
  })
}

async function forward(exchange: Exchange, understood: Understood, body: Body, statement: number, ruling: Ruling): Promise<void> {
  const { place, fields, method, route, connection, shown, request, shared } = exchange
  const { session, stored } = place
  const record = new ExchangeRecord(session, statement)
  const address = new URL(session.target.address)
  const path = basePath(session.target) + route.path
  const host = connection.facts.address.slice(0, connection.facts.address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  const answering = new Answering({ exchange, understood, statement, ruling, record, tools: shared.tools, salt: shared.salt })
  const own = forTarget(fields, route, { shown, host }, session.target)
  const whole = Buffer.isBuffer(body.seen) ? body.seen : undefined
  const streamed = body.seen === 'unseen'
  record.request(method, route.path, recordable(fields, shown))
  if (whole !== undefined) {
    record.body('client', whole)
    record.ended('client')
  }
  const headers = await stored.applied({ method, path, host: address.host, headers: answering.asking(own), body: whole, streamed })
  // Everything about the request is on record, at the target's durability, before any of it goes on.
  await session.settled()
  if (exchange.gone.aborted) return answering.abandoned()
  place.pool.dispatch(
    {
      method: method as 'GET',
      path,
      headers,
      body: streamed ? passedOn(request, body, session, record) : (whole ?? null),
      // A caller's request is sent once: whether it may be repeated is the caller's to say.
      idempotent: false,
      blocking: false,
    } as Parameters<typeof place.pool.dispatch>[0],
    answering,
  )
  await answering.done
}
