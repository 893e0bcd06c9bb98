// What the target answers, on its way to the caller: fields filtered, body masked or looked into, all of it recorded as the caller sees it.

import type { Transform } from 'node:stream'
import { isKnownError, Unreachable } from '@sallyport/core'
import type { Ruling, Settled } from '@sallyport/core'
import { Unmaskable } from '@sallyport/masking'
import type { Dispatcher } from 'undici'
import { AnswerBody, text } from './answer-body.js'
import type { AnswerFields } from './answer-body.js'
import type { Exchange } from './exchange.js'
import { refuseIn } from './grpc.js'
import { forClient, mayNotPass } from './headers.js'
import type { ExchangeRecord } from './record.js'
import { problemOf, problemOfDenial, Refused, render } from './refusal.js'
import type { Problem } from './refusal.js'
import { ClientSink } from './sink.js'
import type { Stage } from './stages.js'
import type { ToolLists } from './tool-lists.js'
import type { Understood } from './understand.js'

export interface AnswerParts {
  readonly exchange: Exchange
  readonly understood: Understood
  readonly statement: number
  readonly ruling: Ruling
  readonly record: ExchangeRecord
  readonly tools: ToolLists
  readonly salt: string
}

type Controller = Dispatcher.DispatchController
type Trailers = Readonly<Record<string, string | string[] | undefined>>

export class Answering implements Dispatcher.DispatchHandler {
  readonly done: Promise<void>
  readonly #parts: AnswerParts
  readonly #sink: ClientSink
  readonly #body: AnswerBody
  readonly #startedAt = performance.now()
  #controller: Controller | undefined
  #stage: Stage | undefined
  #unpack: Transform | undefined
  #status = 0
  #paused = 0
  #over = false
  #finish: () => void = () => {}

  constructor(parts: AnswerParts) {
    this.#parts = parts
    const { place, reply, request } = parts.exchange
    this.#sink = new ClientSink(place.session, reply, parts.record, request.method === 'HEAD')
    this.#body = new AnswerBody(parts)
    this.done = new Promise((resolve) => (this.#finish = resolve))
    reply.once('close', () => this.abandoned())
  }

  /** The fields as the target gets them, where the answer must be one that can be looked into. */
  asking(headers: readonly string[]): string[] {
    return this.#body.asking(headers)
  }

  get listsTools(): boolean {
    return this.#body.listsTools
  }

  /** The caller is gone. */
  abandoned(): void {
    if (this.#over) return
    this.#end('the caller went away')
    this.#controller?.abort(new Error('the caller went away'))
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller
    if (this.#over) controller.abort(new Error('the caller went away'))
  }

  onResponseStart(controller: Controller, status: number): void {
    // An interim answer: ours were given already, and hints are for whoever fetches pages (RFC 9110, section 15.2).
    if (status < 200 || this.#over) return
    const { exchange } = this.#parts
    const { route, place } = exchange
    this.#controller = controller
    this.#status = status
    if (status === 401) place.stored.refused()
    const headers = forClient((controller.rawHeaders ?? []) as Buffer[], route, place.session.target)
    try {
      this.#prepare(status, headers)
      this.#sink.head(status, headers)
    } catch (error) {
      this.#fail(error)
    }
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    if (this.#over) return
    if (this.#unpack === undefined) return this.#deliver(chunk)
    if (!this.#unpack.write(chunk)) {
      this.#pause()
      this.#unpack.once('drain', () => this.#resume())
    }
  }

  onResponseEnd(_controller: Controller, trailers: Trailers): void {
    if (this.#over) return
    if (this.#unpack === undefined) return this.#complete(trailers)
    this.#unpack.once('end', () => this.#complete({}))
    this.#unpack.end()
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.failed(error)
  }

  /** Also before anything was sent. */
  failed(error: unknown): void {
    if (!this.#over) this.#fail(error)
  }

  // ---- the body ----

  #prepare(status: number, headers: AnswerFields): void {
    const prepared = this.#body.prepare(status, headers)
    this.#stage = prepared?.stage
    this.#unpack = prepared?.unpack
    this.#unpack?.on('data', (chunk: Buffer) => this.#deliver(chunk))
    this.#unpack?.on('error', () => this.#fail(new Unmaskable('the answer cannot be unpacked')))
  }

  #deliver(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#wait(this.#sink.write(this.#stage === undefined ? chunk : this.#stage.push(chunk)))
    } catch (error) {
      this.#fail(error)
    }
  }

  #complete(trailers: Trailers): void {
    if (this.#over) return
    try {
      if (this.#stage !== undefined) this.#wait(this.#sink.write(this.#stage.end()))
      const kept = this.#stage === undefined && this.#parts.ruling.kind !== 'mask' ? this.#trailers(trailers) : []
      const ended = this.#sink.end(Object.fromEntries(kept))
      if (ended instanceof Promise)
        void ended.then(
          () => this.#end(),
          (error: unknown) => this.#fail(error),
        )
      else this.#end()
    } catch (error) {
      this.#fail(error)
    }
  }

  #trailers(trailers: Trailers): readonly (readonly [string, string])[] {
    const kept = Object.entries(trailers).flatMap(([name, value]) =>
      mayNotPass(name) || value === undefined ? [] : [[name, text(value) ?? ''] as const],
    )
    if (kept.length > 0) this.#parts.record.trailers('response trailers', kept)
    return kept
  }

  #wait(settled: Settled<void>): void {
    if (!(settled instanceof Promise)) return
    this.#pause()
    void settled.then(
      () => this.#resume(),
      (error: unknown) => this.#fail(error),
    )
  }

  #pause(): void {
    this.#paused += 1
    this.#controller?.pause()
    this.#unpack?.pause()
  }

  #resume(): void {
    this.#paused -= 1
    if (this.#paused > 0 || this.#over) return
    this.#unpack?.resume()
    this.#controller?.resume()
  }

  // ---- how it ends ----

  /** Before the head went out the caller gets a problem; after it, a cut connection, so that half an answer is not taken for a whole one. */
  #fail(error: unknown): void {
    if (this.#over) return
    const { exchange, statement, ruling } = this.#parts
    const { reply, request, connection, place } = exchange
    const problem = this.#problem(error)
    if (problem.status === 500) {
      connection.gate.log('error', 'bug: an answer failed in an unexpected way', {
        session: place.session.id,
        stack: error instanceof Error ? error.stack : String(error),
      })
    } else {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined
      connection.gate.log('warn', 'request failed', {
        session: place.session.id,
        statement,
        rule: ruling.rule,
        reason: problem.detail,
        cause,
      })
    }
    this.#sink.stop()
    this.#told(problem)
    this.#end(`${problem.status} ${problem.detail}`)
    this.#controller?.abort(new Error(problem.code))
    this.#unpack?.destroy()
    refuseIn(exchange.fields, reply, problem, request.method === 'HEAD')
  }

  /** On record as the caller sees it. */
  #told(problem: Problem): void {
    const { exchange, record } = this.#parts
    if (exchange.reply.headersSent || exchange.place.over) return
    const { headers, body } = render(problem)
    try {
      record.response(problem.status, headers)
      record.body('upstream', body)
    } catch (cause) {
      // The record is over: so is the session, and nothing of the target's is told.
      if (!isKnownError(cause)) throw cause
    }
  }

  #problem(error: unknown): Problem {
    const { exchange, statement, ruling } = this.#parts
    if (error instanceof Unmaskable) {
      const reason = `${error.message}, so that it cannot be masked; the target has already done what was asked`
      return problemOfDenial(
        { kind: 'deny', cause: 'not-maskable', rule: ruling.rule, reason },
        exchange.place.session.id,
        statement,
      )
    }
    if (error instanceof Refused || isKnownError(error) || isOurs(error)) return problemOf(error, false)
    const { name } = exchange.place.session.target
    const late = error instanceof Error && /Timeout/.test(error.name)
    const unreachable = new Unreachable(
      'target-failed',
      late ? `target ${name} did not answer in time` : `target ${name} broke the connection off`,
    )
    const problem = problemOf(unreachable, false)
    return late ? { ...problem, status: 504 } : problem
  }

  #end(error?: string): void {
    if (this.#over) return
    this.#over = true
    const { exchange, statement, record } = this.#parts
    const { place } = exchange
    if (!place.over) {
      const failed = error ?? (this.#status >= 400 ? `${this.#status}` : undefined)
      const outcome = { statement, rows: 0, bytes: record.bytes('upstream'), durationMs: performance.now() - this.#startedAt }
      try {
        place.session.outcome(failed === undefined ? outcome : { ...outcome, error: failed })
      } catch (cause) {
        // The record is over: so is the session, and the caller's connection is being cut.
        if (!isKnownError(cause)) throw cause
      }
    }
    this.#finish()
  }
}

/** A fault of our own, as opposed to one of undici's or the network's. */
function isOurs(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
}
