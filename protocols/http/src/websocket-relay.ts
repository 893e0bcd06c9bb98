// Messages of an open WebSocket, one after the other in each direction, no faster than the other end takes them.

import { isKnownError } from '@sallyport/core'
import type { Denial, Mask } from '@sallyport/core'
import { Masker, ToldInPieces, Unmaskable } from '@sallyport/masking'
import type { RawData, WebSocket } from 'ws'
import { readBody, unknownBody } from './body-facts.js'
import { decide } from './deciding.js'
import type { Deciding } from './deciding.js'
import { maxBufferedBytes } from './limits.js'
import { effectsOf } from './understand.js'
import type { Understood } from './understand.js'

export interface RelayedParts {
  readonly client: WebSocket
  readonly upstream: WebSocket
  readonly exchange: Deciding
  /** The handshake's. */
  readonly statement: number
  /** Those of the handshake's ruling: what the target says is covered by them. */
  readonly masks: readonly Mask[]
  readonly salt: string
}

/** RFC 6455, section 7.4.1. */
const policyViolation = 1008
const internalError = 1011

export class Relayed {
  readonly #parts: RelayedParts
  readonly #startedAt = performance.now()
  readonly #told: ToldInPieces | undefined
  #bytes = 0
  #over = false
  readonly #ended = new AbortController()
  #turn: Promise<void> = Promise.resolve()

  constructor(parts: RelayedParts) {
    this.#parts = parts
    const { masks, salt, exchange } = parts
    const salts = { hash: salt, token: `${salt} ${exchange.place.session.id}` }
    this.#told = masks.length === 0 ? undefined : new ToldInPieces(new Masker(masks, salts))
  }

  start(): void {
    const { client, upstream, exchange } = this.#parts
    client.on('message', (data, binary) => this.#fromClient(data, binary))
    upstream.on('message', (data, binary) => this.#fromUpstream(data, binary))
    client.on('close', (code, reason) => this.#end(upstream, code, reason))
    upstream.on('close', (code, reason) => this.#endTold(code, reason))
    for (const socket of [client, upstream]) socket.on('error', () => this.#cut(internalError, 'the connection broke'))
    exchange.place.session.signal.addEventListener('abort', () => this.#cut(policyViolation, 'the session was ended'), {
      once: true,
      signal: this.#ended.signal,
    })
    client.resume()
    upstream.resume()
  }

  #fromClient(data: RawData, binary: boolean): void {
    const { client } = this.#parts
    const message = bytesOf(data)
    client.pause()
    this.#turn = this.#turn
      .then(() => this.#judge(message, binary))
      .catch((error: unknown) =>
        this.#cut(internalError, isKnownError(error) ? error.message : 'the gateway met a fault of its own'),
      )
      .then(() => this.#resume(client))
  }

  async #judge(message: Buffer, binary: boolean): Promise<void> {
    if (this.#over) return
    const { exchange, upstream } = this.#parts
    const { session } = exchange.place
    session.record('client', message, this.#parts.statement)
    const ruling = session.mayRule ? await this.#ruled(message, binary) : undefined
    if (ruling?.kind === 'deny') return this.#cut(policyViolation, ruling.reason)
    await session.settled()
    this.#send(upstream, message, binary)
  }

  /** A denial closes the WebSocket: what the caller sends next would build on what was not done. */
  async #ruled(message: Buffer, binary: boolean): Promise<Denial | undefined> {
    const { exchange } = this.#parts
    const { target } = exchange.place.session
    const path = exchange.route.path.split('?', 1)[0] ?? ''
    const facts = binary ? unknownBody : readBody(message, 'application/json', undefined, path)
    const shown = binary ? `(binary, ${message.length} bytes)` : message.toString('utf8').slice(0, 4_000)
    const understood: Understood = {
      effects: effectsOf(target, ['GET'], exchange.route.path, facts, false),
      facts,
      text: `WebSocket ${path}\n${shown}`,
      parameters: [],
    }
    const began = performance.now()
    const { statement, ruling } = await decide(exchange, understood, { seen: message, early: [] })
    const outcome = { statement, rows: 0, bytes: 0, durationMs: performance.now() - began }
    exchange.place.session.outcome(ruling.kind === 'deny' ? { ...outcome, error: ruling.reason } : outcome)
    if (ruling.kind === 'mask' && !this.#covers(ruling.masks)) {
      const reason = 'a mask applies to what answers this message, and was not known when the WebSocket was opened'
      return { kind: 'deny', cause: 'not-maskable', rule: ruling.rule, reason }
    }
    return ruling.kind === 'deny' ? ruling : undefined
  }

  #covers(masks: readonly Mask[]): boolean {
    return masks.every((mask) => this.#parts.masks.some((each) => each.column === mask.column && each.with === mask.with))
  }

  #fromUpstream(data: RawData, binary: boolean): void {
    if (this.#over) return
    this.#show(() => this.#masked(bytesOf(data), binary), binary)
  }

  /** Recorded, then sent; `then` is done after that. */
  #show(tell: () => readonly Buffer[], binary: boolean, then: () => void = () => {}): void {
    const { client, upstream, exchange, statement } = this.#parts
    const { session } = exchange.place
    try {
      const messages = tell()
      for (const message of messages) {
        session.record('upstream', message, statement)
        this.#bytes += message.length
      }
      const send = (): void => {
        for (const message of messages) this.#send(client, message, binary)
        then()
      }
      const settled = session.settled()
      if (!(settled instanceof Promise)) return send()
      upstream.pause()
      settled.then(
        () => {
          send()
          this.#resume(upstream)
        },
        () => this.#cut(internalError, 'the record cannot be kept'),
      )
    } catch (error) {
      if (error instanceof Unmaskable) this.#cut(policyViolation, 'a message cannot be masked, so it is not shown')
      else this.#cut(internalError, isKnownError(error) ? error.message : 'the gateway met a fault of its own')
    }
  }

  /** What the caller sees of a message: other messages may come before it, with what was held back of what models tell in pieces. */
  #masked(message: Buffer, binary: boolean): readonly Buffer[] {
    if (this.#told === undefined) return [message]
    if (binary) throw new Unmaskable('the message is not text')
    const mapped = this.#told.map({ data: message.toString('utf8') })
    if (mapped === undefined) return []
    if (typeof mapped === 'string') return [Buffer.from(mapped)]
    return [...mapped.before.map(({ data }) => Buffer.from(data)), Buffer.from(mapped.data)]
  }

  /** A slow receiver holds its sender up. */
  #send(to: WebSocket, message: Buffer, binary: boolean): void {
    if (to.readyState !== to.OPEN) return
    const from = to === this.#parts.client ? this.#parts.upstream : this.#parts.client
    to.send(message, { binary, compress: false }, () => {
      if (to.bufferedAmount <= maxBufferedBytes) this.#resume(from)
    })
    if (to.bufferedAmount > maxBufferedBytes) from.pause()
  }

  #resume(socket: WebSocket): void {
    if (socket.isPaused) socket.resume()
  }

  /** What was held back of what is told in pieces comes before the end. */
  #endTold(code: number, reason: Buffer): void {
    const { client } = this.#parts
    const end = (): void => this.#end(client, code, reason)
    const told = this.#told
    if (told === undefined || this.#over) return end()
    this.#show(() => told.last().map(({ data }) => Buffer.from(data)), false, end)
  }

  #end(other: WebSocket, code: number, reason: Buffer): void {
    // 1005 and 1006 say that there was no code; they may not be sent.
    const sendable = code === 1005 || code === 1006 ? 1000 : code
    if (code === 1006) other.terminate()
    else if (other.readyState === other.OPEN) {
      // A reason is text of the target's that no mask looks into.
      other.close(sendable, this.#told === undefined || other === this.#parts.upstream ? reason : '')
    }
    this.#finish(code === 1000 || code === 1005 ? undefined : `closed with ${code}`)
  }

  #cut(code: number, reason: string): void {
    const { client, upstream } = this.#parts
    if (client.readyState === client.OPEN)
      client.close(
        code,
        Buffer.from(reason)
          .subarray(0, 120)
          .toString('utf8')
          .replace(/\u{fffd}$/u, ''),
      )
    upstream.terminate()
    this.#finish(reason)
    setTimeout(() => client.terminate(), 1_000).unref()
  }

  #finish(error: string | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#ended.abort()
    const { exchange, statement } = this.#parts
    if (exchange.place.over) return
    const outcome = { statement, rows: 0, bytes: this.#bytes, durationMs: performance.now() - this.#startedAt }
    exchange.place.session.outcome(error === undefined ? outcome : { ...outcome, error })
  }
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return Buffer.isBuffer(data) ? data : Buffer.from(data)
}
