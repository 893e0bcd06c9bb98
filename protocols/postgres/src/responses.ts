// Cuts the server's stream. Rows pass as slices of the chunk they came in; every other message is looked at whole.

import { Malformed } from '@sallyport/core'
import type { Replies, Steps } from './replies.js'
import { fromUpstream } from './messages.js'

/** MaxAllocSize of the server: no message is longer (src/include/utils/memutils.h). */
const maxMessageBytes = 0x3fffffff
/** Messages other than rows and COPY data are held whole; a RowDescription of 1,600 columns is about 0.15 MB. */
const maxControlBytes = 16 * 1024 * 1024

const { dataRow, copyData } = fromUpstream

export class Responses {
  readonly #replies: Replies
  /** The beginning of a message that has not arrived whole. */
  #rest: Buffer = Buffer.alloc(0)
  /** Bytes of the current row that are still to come, and whether they are dropped. */
  #rowLeft = 0
  #rowDropped = false
  /** Messages of ours that wait for the end of the current row. */
  #inserts: Buffer[] = []
  /** Stopped before a row that needs another ruling. */
  #stopped = false

  constructor(replies: Replies) {
    this.#replies = replies
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** Puts a message of ours at the next boundary between two messages. */
  insert(bytes: Buffer, steps: Steps): void {
    if (this.#rowLeft === 0) steps.push({ kind: 'send', to: 'client', bytes })
    else this.#inserts.push(bytes)
  }

  /** Returns the statement whose next row must be asked for first, if any; then call again with no bytes after the ruling. */
  receive(chunk: Buffer, steps: Steps): { readonly statement: number; readonly rows: number } | undefined {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    this.#rest = Buffer.alloc(0)
    let sent = 0
    let at = this.#finishRow(bytes)
    if (this.#rowDropped) sent = at
    if (this.#rowLeft === 0 && this.#inserts.length > 0) {
      send(bytes, sent, at, steps)
      sent = at
      for (const insert of this.#inserts.splice(0)) steps.push({ kind: 'send', to: 'client', bytes: insert })
    }
    this.#stopped = false
    while (bytes.length - at >= 5) {
      const type = bytes[at] as number
      const size = bytes.readUInt32BE(at + 1) + 1
      if (size < 5 || size > maxMessageBytes)
        throw new Malformed('upstream', 'malformed-message', 'a message from the target has an impossible length')
      if (type === dataRow || type === copyData) {
        const question = this.#row(size)
        if (question !== undefined) {
          send(bytes, sent, at, steps)
          this.#rest = bytes.subarray(at)
          this.#stopped = true
          return question
        }
        const end = Math.min(at + size, bytes.length)
        this.#rowLeft = at + size - end
        if (this.#rowDropped) {
          send(bytes, sent, at, steps)
          sent = end
        }
        at = end
        continue
      }
      if (size > maxControlBytes)
        throw new Malformed('upstream', 'malformed-message', 'a message from the target is longer than this gateway holds')
      if (at + size > bytes.length) break
      const own = bytes.subarray(at, at + size)
      const before = steps.length
      const shown = this.#replies.control(type, own, steps)
      // Outcomes come after the bytes that belong to them.
      const outcomes = steps.splice(before)
      if (shown !== own) {
        send(bytes, sent, at, steps)
        if (shown !== undefined) steps.push({ kind: 'send', to: 'client', bytes: shown })
        sent = at + size
      } else if (outcomes.length > 0) {
        send(bytes, sent, at + size, steps)
        sent = at + size
      }
      steps.push(...outcomes)
      at += size
    }
    send(bytes, sent, at, steps)
    this.#rest = at === bytes.length ? Buffer.alloc(0) : bytes.subarray(at)
    return undefined
  }

  #finishRow(bytes: Buffer): number {
    const part = Math.min(this.#rowLeft, bytes.length)
    this.#rowLeft -= part
    return part
  }

  /** Counts a row, or says that it needs a ruling first. */
  #row(size: number): { readonly statement: number; readonly rows: number } | undefined {
    const head = this.#replies.head
    const run = head?.run
    if (run === undefined || head?.answer?.ruling.kind === 'deny')
      throw new Malformed('upstream', 'unexpected-message', 'the target sent rows that nobody asked for')
    this.#rowDropped = this.#replies.refusing
    if (this.#rowDropped) return undefined
    if (run.sent >= run.rowsUpTo) return { statement: run.statement, rows: run.sent + 1 }
    run.sent += 1
    run.bytes += size
    return undefined
  }
}

function send(bytes: Buffer, from: number, to: number, steps: Steps): void {
  if (to > from)
    steps.push({ kind: 'send', to: 'client', bytes: from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to) })
}
