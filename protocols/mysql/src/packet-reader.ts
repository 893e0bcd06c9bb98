// Packets in straight-line async code, for the login on both ends and for side connections.

import type { Duplex } from 'node:stream'
import { Malformed, Unreachable } from '@sallyport/core'
import type { Side } from '@sallyport/core'
import { ByteReader } from '@sallyport/wire'
import { readColumn, readTextRow } from './columns.js'
import { Body, command, headerBytes, maxPacketBytes, packets, readError, reply, uint } from './packets.js'

/** Packets of a login are short; the longest is a response with its connection attributes (64 KB at most). */
const maxLoginBytes = 128 * 1024
/** Rows of our own queries: names, and the texts of views. */
const maxRowBytes = 4 * 1024 * 1024
const maxRows = 1_000_000

export class PacketLine {
  readonly stream: Duplex
  readonly #reader: ByteReader
  readonly #from: Side
  #sequence = 0

  constructor(stream: Duplex, from: Side, deadline: AbortSignal, sequence = 0) {
    this.stream = stream
    this.#reader = new ByteReader(stream, from, deadline)
    this.#from = from
    this.#sequence = sequence
  }

  /** The number the next packet of either side must have. */
  get sequence(): number {
    return this.#sequence
  }

  get buffered(): number {
    return this.#reader.buffered
  }

  detach(): Buffer {
    return this.#reader.detach()
  }

  write(payload: Buffer): void {
    this.stream.write(packets(this.#sequence, payload))
    this.#sequence = (this.#sequence + 1) & 0xff
  }

  async read(limit = maxLoginBytes): Promise<Buffer> {
    const head = await this.#reader.read(headerBytes)
    const size = head.readUIntLE(0, 3)
    if (size > limit || size === maxPacketBytes)
      throw new Malformed(this.#from, 'packet-too-long', `a packet of ${size} bytes came where ${limit} are the limit`)
    if (head[3] !== this.#sequence) throw new Malformed(this.#from, 'out-of-sequence', 'packets come out of order')
    this.#sequence = (this.#sequence + 1) & 0xff
    return this.#reader.read(size)
  }

  /** Takes leave of the server. */
  quit(): void {
    this.stream.on('error', () => {})
    this.stream.end(packets(0, uint(command.quit, 1)))
    this.stream.resume()
  }

  /** Runs a query of our own; an error of the server becomes Unreachable with its code alone. Old EOF packets or new, as `deprecateEof` says. */
  async query(sql: string, deprecateEof: boolean, what: string): Promise<(string | null)[][]> {
    this.#sequence = 0
    this.write(Buffer.concat([uint(command.query, 1), Buffer.from(sql)]))
    const head = await this.#answer(what)
    if (head[0] === reply.ok) return []
    if (head[0] === reply.localInfile)
      throw new Malformed('upstream', 'unexpected-packet', `${what} is answered with a request for a file`)
    const count = new Body(head, 'upstream').lenenc()
    for (let column = 0; column < count; column += 1) readColumn(await this.#answer(what))
    if (!deprecateEof) await this.#answer(what)
    const rows: (string | null)[][] = []
    for (;;) {
      const packet = await this.#answer(what)
      if (packet[0] === reply.end) return rows
      if (rows.length >= maxRows) throw new Unreachable('answer-too-long', `${what} gives more than ${maxRows} rows`)
      rows.push(readTextRow(packet, count))
    }
  }

  async #answer(what: string): Promise<Buffer> {
    const packet = await this.read(maxRowBytes)
    if (packet.length === 0)
      throw new Malformed('upstream', 'unexpected-packet', `${what} is answered with a packet that cannot be`)
    if (packet[0] !== reply.error) return packet
    throw new Unreachable('target-query-failed', `${what} failed (error ${readError(packet).code})`, {
      cause: new Error(readError(packet).message),
    })
  }
}
