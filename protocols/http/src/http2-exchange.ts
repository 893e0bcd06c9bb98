// One request and its answer on an HTTP/2 connection to a target.

import { constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import type { Dispatcher } from 'undici'
import type { Address } from './addresses.js'
import type { Answering } from './answer.js'
import { drained } from './drained.js'
import { answerWithinMs } from './limits.js'
import { AnswerTooLate } from './too-late.js'
import type { Sending } from './sending.js'

/** What gRPC says at the end of an answer, or in an answer of no body among its fields. */
const ofTheEnd = new Set(['grpc-status', 'grpc-message', 'grpc-status-details-bin'])

export class Http2Exchange {
  /** `over`: `answering` was told how it ended. An error: the target has not looked at the request, so it may be sent again. */
  readonly done: Promise<'over' | Error>
  readonly #stream: ClientHttp2Stream
  readonly #sending: Sending
  readonly #answering: Answering
  readonly #controller: Dispatcher.DispatchController
  #trailers: Record<string, string> = {}
  #answered = false
  #ended = false
  #error: Error | undefined
  #settle: (outcome: 'over' | Error) => void = () => {}

  constructor(connection: ClientHttp2Session, address: Address, sending: Sending, answering: Answering) {
    this.#sending = sending
    this.#answering = answering
    this.done = new Promise((resolve) => (this.#settle = resolve))
    const streamed = sending.body !== undefined && !Buffer.isBuffer(sending.body)
    const trailers = streamed || sending.expectsTrailers
    this.#stream = connection.request(fieldsOf(sending, address), {
      endStream: sending.body === undefined && !trailers,
      waitForTrailers: trailers,
    })
    this.#controller = controllerOf(this.#stream)
    this.#listen()
    answering.onRequestStart(this.#controller)
    void this.#send()
  }

  async #send(): Promise<void> {
    const stream = this.#stream
    const { body, trailers } = this.#sending
    stream.on('wantTrailers', () => stream.sendTrailers(gathered(trailers())))
    try {
      if (body === undefined || Buffer.isBuffer(body)) {
        if (!stream.writableEnded) stream.end(body)
        return
      }
      for await (const chunk of body) {
        if (stream.destroyed || stream.writableEnded) break
        if (!stream.write(chunk)) await drained(stream)
      }
      if (!stream.destroyed) stream.end()
    } catch (error) {
      this.#answering.failed(error)
      cut(stream)
    }
  }

  #listen(): void {
    const stream = this.#stream
    // A call of gRPC may be silent for as long as it lasts.
    const late = this.#sending.grpc
      ? undefined
      : setTimeout(() => {
          this.#error = new AnswerTooLate()
          cut(stream)
        }, answerWithinMs)
    stream.on('response', (fields) => {
      clearTimeout(late)
      this.#begin(fields)
    })
    stream.on('data', (chunk: Buffer) => this.#answering.onResponseData(this.#controller, chunk))
    stream.on('trailers', (fields) => (this.#trailers = Object.fromEntries(pairsOf(fields))))
    const whole = hearingEnd(stream)
    stream.on('end', () => {
      if (!this.#answered || !whole()) return
      this.#ended = true
      this.#answering.onResponseEnd(this.#controller, this.#trailers)
    })
    stream.on('error', (error) => (this.#error ??= error))
    stream.on('close', () => {
      clearTimeout(late)
      this.#close()
    })
  }

  #begin(fields: Readonly<Record<string, unknown>>): void {
    const said = pairsOf(fields)
    // An answer of trailers alone has its status among its fields; with a body of no bytes it means the same.
    const late = (name: string): boolean => this.#sending.grpc && ofTheEnd.has(name)
    this.#answered = true
    this.#trailers = Object.fromEntries(said.filter(([name]) => late(name)))
    this.#controller.rawHeaders = said
      .filter(([name]) => !late(name))
      .flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value, 'latin1')])
    this.#answering.onResponseStart(this.#controller, Number(fields[':status']))
  }

  #close(): void {
    if (this.#ended) return this.#settle('over')
    const { rstCode } = this.#stream
    const error = this.#error ?? new Error(`reset with ${rstCode ?? 0}`)
    if (!this.#answered && rstCode === constants.NGHTTP2_REFUSED_STREAM) return this.#settle(error)
    this.#answering.onResponseError(this.#controller, error)
    this.#settle('over')
  }
}

function fieldsOf({ method, path, headers }: Sending, { host, url }: Address): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {
    ':method': method,
    ':path': path,
    ':scheme': url.protocol.slice(0, -1),
    ':authority': host,
  }
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] as string
    if (name !== 'host') add(fields, name, headers[index + 1] as string)
  }
  return fields
}

function gathered(trailers: readonly (readonly [string, string])[]): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {}
  for (const [name, value] of trailers) add(fields, name, value)
  return fields
}

function add(fields: Record<string, string | string[]>, name: string, value: string): void {
  const known = fields[name]
  fields[name] = known === undefined ? value : [known, value].flat()
}

function pairsOf(fields: Readonly<Record<string, unknown>>): readonly (readonly [string, string])[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    name.startsWith(':') ? [] : [value].flat().map((each) => [name, String(each)] as const),
  )
}

function controllerOf(stream: ClientHttp2Stream): Dispatcher.DispatchController {
  return {
    get aborted() {
      return stream.aborted
    },
    get paused() {
      return stream.isPaused()
    },
    get reason() {
      return null
    },
    rawHeaders: [],
    abort: () => cut(stream),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  }
}

/** An upload that is under way must not end as if it were whole, which closing its stream would do. */
function cut(stream: ClientHttp2Stream): void {
  if (stream.destroyed) return
  if (stream.writableEnded) stream.close(constants.NGHTTP2_CANCEL)
  else stream.destroy(new Error('the exchange is over'))
}

/**
 * Whether the target said that its answer is whole (END_STREAM). Node also ends a stream that was reset with NO_ERROR half-way, as many
 * servers do; then the stream is closed before its end is pushed.
 */
function hearingEnd(stream: ClientHttp2Stream): () => boolean {
  let heard = false
  const push = stream.push.bind(stream)
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    heard ||= chunk === null && !stream.closed
    return push(chunk, encoding)
  }
  return () => heard
}
