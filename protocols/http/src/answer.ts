// What the target answers, on its way to the caller: fields filtered, body masked or looked into, all of it recorded as the caller sees it.

import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Transform } from 'node:stream'
import { isKnownError, Unreachable } from '@sallyport/core'
import type { Ruling, Settled } from '@sallyport/core'
import { maskBody, Masker, Unmaskable } from '@sallyport/masking'
import type { Dispatcher } from 'undici'
import type { Exchange } from './exchange.js'
import { refuseIn } from './grpc.js'
import { forClient, mayNotPass, without } from './headers.js'
import { field, mediaType } from './message.js'
import { watchModel } from './models.js'
import type { ExchangeRecord } from './record.js'
import { problemOf, problemOfDenial, Refused } from './refusal.js'
import { ClientSink } from './sink.js'
import { inTurn, rewriteJson } from './stages.js'
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
type Headers = Record<string, string | string[]>

/** What would let a caller do without an answer, or ask for a part of one; a masked answer has no part. */
const conditional = new Set(['if-none-match', 'if-modified-since', 'if-range', 'range'])
/** They were made of the unmasked bytes. */
const ofTheOriginal = [
  'content-length',
  'etag',
  'last-modified',
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
  'content-encoding',
  'x-goog-hash',
]

export class Answering implements Dispatcher.DispatchHandler {
  readonly done: Promise<void>
  readonly #parts: AnswerParts
  readonly #sink: ClientSink
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
    const { place, reply, request, gone } = parts.exchange
    this.#sink = new ClientSink(place.session, reply, parts.record, request.method === 'HEAD')
    this.done = new Promise((resolve) => (this.#finish = resolve))
    gone.addEventListener('abort', () => this.abandoned(), { once: true })
  }

  /** The fields as the target gets them, where the answer must be one that can be looked into. */
  asking(headers: readonly string[]): string[] {
    if (!this.#looksInside()) return [...headers]
    const masks = this.#parts.ruling.kind === 'mask'
    const dropped = new Set(['accept-encoding', ...(masks ? conditional : [])])
    return [...without(headers, dropped), 'accept-encoding', 'identity']
  }

  /** Whether a list of MCP tools may be in the answer. */
  listsTools(): boolean {
    return this.#parts.understood.facts.calls.some((call) => call.method === 'tools/list') || this.#isRpcStream()
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

  onResponseEnd(_controller: Controller, trailers: Readonly<Record<string, string | string[] | undefined>>): void {
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

  // ---- what becomes of the body ----

  #looksInside(): boolean {
    const { ruling, understood } = this.#parts
    return ruling.kind === 'mask' || understood.facts.calls.length > 0 || this.#isModel() || this.#isRpcStream()
  }

  #isModel(): boolean {
    return this.#parts.understood.effects.some((effect) => effect.verb === 'ask-model')
  }

  /** A stream of an MCP session may repeat what an earlier request was answered. */
  #isRpcStream(): boolean {
    const { fields, method } = this.#parts.exchange
    return method === 'GET' && field(fields, 'mcp-session-id') !== undefined
  }

  #prepare(status: number, headers: Headers): void {
    const { exchange, ruling, statement } = this.#parts
    const empty = status === 204 || status === 304 || exchange.method === 'HEAD' || headers['content-length'] === '0'
    if (!this.#looksInside()) return
    const encoding = text(headers['content-encoding'])
    const stages = empty ? [] : this.#stages(text(headers['content-type']), unpackers[packing(encoding)] === undefined)
    const masks = ruling.kind === 'mask'
    if (masks) for (const name of ofTheOriginal) if (name !== 'content-length' || !empty) delete headers[name]
    if (stages === 'not-maskable') {
      const reason = `the answer is ${text(headers['content-type']) ?? 'of no stated type'}, which cannot be masked; the target has already done what was asked`
      throw new Refused(
        problemOfDenial({ kind: 'deny', cause: 'not-maskable', rule: ruling.rule, reason }, exchange.place.session.id, statement),
      )
    }
    if (masks) headers['accept-ranges'] = 'none'
    this.#stage = inTurn(stages)
    if (this.#stage === undefined) return
    this.#unpack = this.#unpacking(encoding)
    delete headers['content-encoding']
    delete headers['content-length']
  }

  #stages(contentType: string | undefined, sealed: boolean): Stage[] | 'not-maskable' {
    const type = mediaType(contentType)
    const { exchange, ruling, record, tools } = this.#parts
    const { session } = exchange.place
    const stages: Stage[] = []
    const mark = (name: string, detail: string): void => record.mark(name, detail)
    if (this.listsTools()) {
      const trouble = (reason: string): void => exchange.connection.gate.log('warn', 'what tools say cannot be kept', { reason })
      const stage = rewriteJson(type, tools.filter(session, 'POST', exchange.route.path, mark, trouble))
      if (stage !== undefined) stages.push(stage)
      else if (session.mayRule) return 'not-maskable'
    }
    if (ruling.kind === 'mask') {
      const masker = new Masker(ruling.masks, { hash: this.#parts.salt, token: `${this.#parts.salt} ${session.id}` })
      const stage = contentType === undefined ? emptyStage : maskBody(masker, contentType)
      if (stage === undefined) return 'not-maskable'
      stages.push(stage)
    }
    if (this.#isModel() && stages.length === 0 && sealed) return []
    if (this.#isModel()) stages.push(watchModel(type, (answer) => mark('model', JSON.stringify(answer))))
    return stages
  }

  #unpacking(encoding: string | undefined): Transform | undefined {
    const unpack = unpackers[packing(encoding)]
    if (unpack === undefined) throw new Unmaskable(`the answer is packed as ${encoding ?? ''}`)
    const made = unpack()
    made?.on('data', (chunk: Buffer) => this.#deliver(chunk))
    made?.on('error', () => this.#fail(new Unmaskable('the answer cannot be unpacked')))
    return made
  }

  #deliver(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#wait(this.#sink.write(this.#stage === undefined ? chunk : this.#stage.push(chunk)))
    } catch (error) {
      this.#fail(error)
    }
  }

  #complete(trailers: Readonly<Record<string, string | string[] | undefined>>): void {
    if (this.#over) return
    try {
      if (this.#stage !== undefined) this.#wait(this.#sink.write(this.#stage.end()))
      const kept = this.#stage === undefined ? this.#trailers(trailers) : []
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

  #trailers(trailers: Readonly<Record<string, string | string[] | undefined>>): readonly (readonly [string, string])[] {
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
    this.#end(`${problem.status} ${problem.detail}`)
    this.#controller?.abort(new Error(problem.code))
    this.#unpack?.destroy()
    refuseIn(exchange.fields, reply, problem, request.method === 'HEAD')
  }

  #problem(error: unknown): ReturnType<typeof problemOf> {
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

const unpackers: Readonly<Record<string, () => Transform | undefined>> = {
  identity: () => undefined,
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
}

const packing = (encoding: string | undefined): string => (encoding ?? 'identity').trim().toLowerCase()

/** An answer that does not say what it is has to be empty. */
const emptyStage: Stage = {
  push: () => {
    throw new Unmaskable('the answer does not say what it is')
  },
  end: () => Buffer.alloc(0),
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

/** A fault of our own, as opposed to one of undici's or the network's. */
function isOurs(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
}
