// A recording as people read it: the same packet code as on the wire, run over the bytes that the client saw.

import { isKnownError, narrate, shortened } from '@sallyport/core'
import type { Frame, Line } from '@sallyport/core'
import { ByteQueue } from '@sallyport/wire'
import { readBinaryRow, readColumn, readTextRow } from './columns.js'
import type { Column } from './columns.js'
import { Body, headerBytes, maxPacketBytes, readError, readOk, reply, serverStatus } from './packets.js'

/** Cells of a row longer than this are cut in the transcript, saying so; the recording keeps them whole. */
const maxCellCharacters = 2_000
/** The longest packet that is printed. */
const maxPrintedBytes = 16 * 1024 * 1024 - 1

/** The mark at a session's beginning that says how its results end: `ok` or `eof`. */
export const eofMark = 'results-end'

export function transcribe(frames: AsyncIterable<Frame>): AsyncIterable<Line> {
  let responses = new Transcript(true)
  return narrate(frames, (frame) => {
    if (frame.kind === 'mark' && frame.name === eofMark) {
      responses = new Transcript(frame.detail === 'ok')
      return []
    }
    if (frame.kind !== 'bytes' || frame.from === 'client') return undefined
    return responses.read(Buffer.from(frame.bytes)).map((text) => ({ at: frame.at, from: 'upstream', text }))
  })
}

type State =
  | { readonly kind: 'head' }
  | { readonly kind: 'columns'; readonly left: number }
  | { readonly kind: 'eof' }
  | { readonly kind: 'rows' }

/** Follows the responses by their packets alone: sequence numbers tell where one begins (a command is number 0, its answer begins at 1). */
class Transcript {
  readonly #queue = new ByteQueue()
  readonly #deprecateEof: boolean
  #state: State = { kind: 'head' }
  #columns: Column[] = []
  #skip = 0
  #continued = false

  constructor(deprecateEof: boolean) {
    this.#deprecateEof = deprecateEof
  }

  read(bytes: Buffer): string[] {
    this.#queue.push(bytes)
    const texts: string[] = []
    for (;;) {
      while (this.#skip > 0 && this.#queue.length > 0) this.#skip -= this.#queue.takeSome(this.#skip).length
      if (this.#skip > 0 || this.#queue.length < headerBytes) return texts
      const size = this.#queue.at(0) | (this.#queue.at(1) << 8) | (this.#queue.at(2) << 16)
      if (this.#continued || size > maxPrintedBytes) {
        this.#skip = headerBytes + size
        if (!this.#continued) texts.push('(a row longer than 16 MB)')
        this.#continued = size === maxPacketBytes
        continue
      }
      if (this.#queue.length < headerBytes + size) return texts
      const text = this.#print(this.#queue.take(headerBytes + size).subarray(headerBytes))
      if (text !== undefined) texts.push(text)
    }
  }

  /** What cannot be read is shown as bytes: a transcript never stops. */
  #print(payload: Buffer): string | undefined {
    try {
      return this.#packet(payload)
    } catch (error) {
      if (!isKnownError(error)) throw error
      return `(packet 0x${payload.subarray(0, 64).toString('hex')})`
    }
  }

  #packet(payload: Buffer): string | undefined {
    if (payload[0] === reply.error && this.#state.kind !== 'columns') return this.#error(payload)
    switch (this.#state.kind) {
      case 'head':
        return this.#head(payload)
      case 'columns':
        return this.#column(payload, this.#state.left)
      case 'eof':
        this.#state = { kind: 'rows' }
        return undefined
      case 'rows':
        return this.#row(payload)
    }
  }

  #error(payload: Buffer): string {
    this.#state = { kind: 'head' }
    const { code, state, message } = readError(payload)
    return `ERROR ${code} (${state}): ${message}`
  }

  #head(payload: Buffer): string | undefined {
    // An OK, or the answer to a prepare, which has 12 bytes and is followed by columns that are read as heads: none of them is a count alone.
    if (payload[0] === reply.ok) return payload.length >= 7 ? `OK, ${readOk(payload).affected} rows` : undefined
    const body = new Body(payload, 'upstream')
    if (payload[0] === reply.end || payload.length > 9) return undefined
    const left = body.lenenc()
    if (body.left > 0 || left === 0) return undefined
    this.#columns = []
    this.#state = { kind: 'columns', left }
    return undefined
  }

  #column(payload: Buffer, left: number): string | undefined {
    this.#columns.push(readColumn(payload))
    if (left > 1) this.#state = { kind: 'columns', left: left - 1 }
    else this.#state = this.#deprecateEof ? { kind: 'rows' } : { kind: 'eof' }
    return left > 1 ? undefined : this.#columns.map((column) => column.name).join(' | ')
  }

  #row(payload: Buffer): string | undefined {
    if (payload[0] === reply.end && payload.length < (this.#deprecateEof ? maxPacketBytes : 9)) {
      const status = this.#deprecateEof ? readOk(payload).status : 0
      this.#state = { kind: 'head' }
      return (status & serverStatus.cursorExists) === 0 ? undefined : 'a cursor is open'
    }
    // A row of a prepared statement begins with 0; a text row does so only where its first cell is empty, and then cannot be read as the other.
    const cells = payload[0] === 0 ? this.#eitherRow(payload) : readTextRow(payload, this.#columns.length)
    return cells.map((value) => (value === null ? 'NULL' : shortened(value, maxCellCharacters))).join(' | ')
  }

  #eitherRow(payload: Buffer): (string | null)[] {
    try {
      return readTextRow(payload, this.#columns.length)
    } catch (error) {
      if (!isKnownError(error)) throw error
      return readBinaryRow(payload, this.#columns)
    }
  }
}
