// Cuts the server's stream into packets. Rows pass as slices of the chunk they came in; every other packet is looked at whole.

import { Malformed } from '@sallyport/core'
import type { Exchange, Steps } from './exchange.js'
import { errorPayload, headerBytes, maxPacketBytes, packets, reply } from './packets.js'
import type { ErrorWords } from './packets.js'

/** Packets other than rows are held whole: definitions of columns, errors, OK with its session state. */
const maxControlBytes = 1024 * 1024

export interface ResponsesPort {
  /** What is awaited; undefined: nothing. */
  readonly exchange: Exchange | undefined
  readonly deprecateEof: boolean
  /** The exchange is over; steps may follow, and `exchange` may be another. Returns false where its last packet is not to be shown. */
  finished(exchange: Exchange, steps: Steps): void
}

export interface RowsQuestion {
  readonly statement: number
  readonly rows: number
}

export class Responses {
  readonly #port: ResponsesPort
  /** The beginning of a packet that has not arrived whole. */
  #rest: Buffer = Buffer.alloc(0)
  /** Bytes of the current row packet that are still to come. */
  #rowLeft = 0
  #continued = false
  #dropping = false
  #stopped = false
  /** The number the target's next packet must have, and what is added for the client. */
  #sequence = 0
  #shift = 0

  constructor(port: ResponsesPort) {
    this.#port = port
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** A command is on its way: `clientPackets` from the client, `upstreamPackets` to the target. Responses are numbered on from there. */
  expect(clientPackets: number, upstreamPackets: number): void {
    this.#sequence = upstreamPackets & 0xff
    this.#shift = (clientPackets - upstreamPackets) & 0xff
    this.#dropping = false
  }

  /** In place of the rest of the response the client gets this; what still comes is dropped. */
  refuse(words: ErrorWords): Buffer {
    this.#dropping = true
    return packets(this.nextNumber, errorPayload(words))
  }

  get nextNumber(): number {
    return (this.#sequence + this.#shift) & 0xff
  }

  /** Returns a question where the next row must be asked for first; then call again with no bytes after the ruling. */
  receive(chunk: Buffer, steps: Steps): RowsQuestion | undefined {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    this.#rest = Buffer.alloc(0)
    this.#stopped = false
    let at = Math.min(this.#rowLeft, bytes.length)
    this.#rowLeft -= at
    let sent = this.#dropping ? at : 0
    while (bytes.length - at >= headerBytes) {
      const size = bytes.readUIntLE(at, 3)
      if (size > 0 && bytes.length - at === headerBytes) break
      const exchange = this.#port.exchange ?? unasked(bytes, at, size)
      const first = size === 0 ? undefined : bytes[at + headerBytes]
      if (this.#continued || (exchange.inRows && !this.#endsRows(first, size))) {
        const question = this.#row(exchange, size)
        if (question !== undefined) {
          send(bytes, sent, at, steps)
          this.#rest = bytes.subarray(at)
          this.#stopped = true
          return question
        }
        this.#number(bytes, at)
        const end = Math.min(at + headerBytes + size, bytes.length)
        this.#rowLeft = at + headerBytes + size - end
        at = end
        if (this.#dropping) sent = at
        continue
      }
      if (size > maxControlBytes)
        throw new Malformed('upstream', 'packet-too-long', 'a packet of the target is longer than this gateway holds')
      const end = at + headerBytes + size
      if (end > bytes.length) break
      this.#number(bytes, at)
      sent = this.#control(exchange, bytes, sent, at, end, steps)
      at = end
    }
    send(bytes, sent, at, steps)
    this.#rest = bytes.subarray(at)
    return undefined
  }

  /** A row may begin with 0xfe too, but is then longer than 16 MB (its first cell is). */
  #endsRows(first: number | undefined, size: number): boolean {
    if (first === reply.error) return true
    return first === reply.end && (this.#port.deprecateEof ? size < maxPacketBytes : size < 9)
  }

  #row(exchange: Exchange, size: number): RowsQuestion | undefined {
    const { run } = exchange
    const begins = !this.#continued
    if (begins && run !== undefined && !this.#dropping) {
      if (run.sent >= run.rowsUpTo) return { statement: run.statement, rows: run.sent + 1 }
      run.sent += 1
    }
    if (run !== undefined && !this.#dropping) run.bytes += size + headerBytes
    this.#continued = size === maxPacketBytes
    return undefined
  }

  /** Checks the number of a packet and renumbers it for the client. */
  #number(bytes: Buffer, at: number): void {
    if (bytes[at + 3] !== this.#sequence)
      throw new Malformed('upstream', 'out-of-sequence', 'packets of the target come out of order')
    this.#sequence = (this.#sequence + 1) & 0xff
    if (this.#shift !== 0) bytes[at + 3] = ((bytes[at + 3] as number) + this.#shift) & 0xff
  }

  /** Returns from where bytes are still to be sent. */
  #control(exchange: Exchange, bytes: Buffer, sent: number, at: number, end: number, steps: Steps): number {
    const number = bytes[at + 3] as number
    const own = bytes.subarray(at + headerBytes, end)
    const shown = exchange.control(own, this.#port.deprecateEof)
    if (exchange.run !== undefined && !this.#dropping) exchange.run.bytes += end - at
    const hidden = this.#dropping || exchange.kind === 'pin'
    if (shown === own && !hidden && !exchange.over) return sent
    send(bytes, sent, shown === own && !hidden ? end : at, steps)
    if (shown !== own && !hidden) steps.push({ kind: 'send', to: 'client', bytes: packets(number, shown) })
    if (exchange.over) this.#port.finished(exchange, steps)
    return end
  }
}

function send(bytes: Buffer, from: number, to: number, steps: Steps): void {
  if (to > from)
    steps.push({ kind: 'send', to: 'client', bytes: from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to) })
}

function unasked(bytes: Buffer, at: number, size: number): never {
  const why =
    size > 0 && bytes[at + headerBytes] === reply.error
      ? 'the target ended the connection'
      : 'the target sent what nobody asked for'
  throw new Malformed('upstream', 'unexpected-packet', why)
}
