// The life of one request: who, where, what, may it, and only then on to the target.

import type { Ruling } from '@sallyport/core'
import { addressOf } from './addresses.js'
import { admitted, hostOf } from './admission.js'
import { Answering } from './answer.js'
import type { Connection, Shared } from './connection.js'
import { decide } from './deciding.js'
import type { Decided, Deciding } from './deciding.js'
import { isGrpc, refuseIn } from './grpc.js'
import { forTarget } from './headers.js'
import { field, fieldsOf, isGone } from './message.js'
import type { Fields, Reply, Request } from './message.js'
import { ExchangeRecord, recordable } from './record.js'
import { problemOf, problemOfDenial, render } from './refusal.js'
import type { Problem } from './refusal.js'
import { drain, passedOn, readAhead, tooMuchLeft } from './request-body.js'
import type { Body } from './request-body.js'
import type { Shown } from './routing.js'
import type { Place } from './sessions.js'
import { announcesTrailers, trailersOf } from './trailers.js'
import type { Trailers } from './trailers.js'
import { understand } from './understand.js'
import type { Understood } from './understand.js'

/** A request on its way, with all that was found out about it. */
export interface Exchange extends Deciding {
  readonly request: Request
  readonly reply: Reply
  readonly shown: Shown
  readonly connection: Connection
  readonly shared: Shared
}

/** Made once: a reason made for each request, with its stack, is costly. */
const over = new Error('the exchange is over')

/** Only what waits for people asks for it: a signal for each request would cost more than judging it. */
function goneOf(reply: Reply): AbortSignal {
  if (isGone(reply)) return AbortSignal.abort(over)
  const gone = new AbortController()
  reply.once('close', () => gone.abort(over))
  return gone.signal
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
  const fields = fieldsOf(request)
  try {
    const { route, shown, place } = await admitted(request, fields, connection, shared, absolute)
    const done = place.begin()
    reply.once('close', done)
    try {
      const method = request.method ?? ''
      let gone: AbortSignal | undefined
      await judged(
        {
          request,
          reply,
          fields,
          method,
          route,
          shown,
          place,
          connection,
          shared,
          get gone() {
            return (gone ??= goneOf(reply))
          },
        },
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
    refuseIn(fields, reply, closing(problem, request, fields), headOnly)
    drain(request)
  }
}

/** Whether the body is looked into: for rules, for the record where it is JSON, and for a signature over it. */
async function readsAhead(fields: Fields, { session, stored }: Place): Promise<boolean> {
  // A call of gRPC may go both ways for as long as it lasts: it cannot be read ahead.
  if (isGrpc(fields)) return false
  if (session.mayRule || session.target.http?.schemas !== undefined) return true
  return /json/i.test(field(fields, 'content-type') ?? '') || (await stored.current()).kind === 'aws'
}

async function judged(exchange: Exchange, goOn: () => void): Promise<void> {
  const { request, fields, method, route, place } = exchange
  const { session } = place
  const { target } = session
  const limit = (await readsAhead(fields, place)) ? (target.http?.readBodyBytes ?? 0) : 0
  const body = await readAhead(request, fields, limit, goOn)
  const understood = understand(target, method, route.path, fields, body.seen)
  const decided = await decide(exchange, understood, body)
  if (decided.ruling.kind === 'deny') return denied(exchange, decided)
  if (!Buffer.isBuffer(body.seen)) goOn()
  await forward(exchange, understood, body, decided.statement, decided.ruling)
}

/** The refusal is recorded as its caller sees it. */
async function denied(exchange: Exchange, { statement, ruling, more }: Decided): Promise<void> {
  if (ruling.kind !== 'deny') return
  const { place, reply, request } = exchange
  const plain = problemOfDenial(ruling, place.session.id, statement)
  const waiting = more === undefined ? plain : { ...plain, title: 'Waiting for review', code: 'review-open', headers: more }
  const problem = closing(waiting, request, exchange.fields)
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
  refuseIn(exchange.fields, reply, problem, request.method === 'HEAD')
  drain(request)
}

/** Says so where the connection cannot be used again. */
function closing(problem: Problem, request: Request, fields: Fields): Problem {
  return tooMuchLeft(request, fields) ? { ...problem, headers: { ...problem.headers, connection: 'close' } } : problem
}

async function forward(exchange: Exchange, understood: Understood, body: Body, statement: number, ruling: Ruling): Promise<void> {
  const { place, fields, method, route, connection, shown, request, shared } = exchange
  const { session, stored } = place
  const record = new ExchangeRecord(session, statement)
  const address = addressOf(session.target)
  const path = address.base + route.path
  const answering = new Answering({ exchange, understood, statement, ruling, record, tools: shared.tools, salt: shared.salt })
  const own = forTarget(fields, route, { shown, host: hostOf(connection.facts) }, session.target)
  const whole = Buffer.isBuffer(body.seen) ? body.seen : undefined
  const streamed = body.seen === 'unseen'
  record.request(method, route.path, recordable(fields, shown))
  if (whole !== undefined) {
    record.body('client', whole)
    record.ended('client')
  }
  const outgoing = { method, path, host: address.host, headers: answering.asking(own), body: whole, streamed }
  const headers = await stored.applied(outgoing).catch((error: unknown) => answering.failed(error))
  if (headers === undefined) return
  if (answering.listsTools)
    await shared.tools.recall(session, route.path, (reason) =>
      connection.gate.log('warn', 'what tools said before cannot be read', { reason }),
    )
  // Everything about the request is on record, at the target's durability, before any of it goes on.
  await session.settled()
  if (isGone(exchange.reply)) return answering.abandoned()
  const trailers = (): Trailers => {
    const found = trailersOf(request, session.target, shown)
    if (found.length > 0) record.trailers('request trailers', found)
    return found
  }
  const expectsTrailers = announcesTrailers(fields) || (whole !== undefined && request.rawTrailers.length > 0)
  place.upstream.send(
    {
      method,
      path,
      headers,
      body: streamed ? passedOn(request, body, session, record) : whole,
      grpc: isGrpc(fields),
      trailers,
      expectsTrailers,
    },
    answering,
  )
  await answering.done
  // An answer may come before the end of its request.
  if (body.seen !== 'absent' && !request.readableEnded) drain(request)
}
