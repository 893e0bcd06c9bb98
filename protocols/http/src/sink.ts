// The caller's end of an answer: recorded, then written, no faster than the caller takes it.

import { isKnownError } from '@sallyport/core'
import type { Settled, Session } from '@sallyport/core'
import { drained } from './drained.js'
import { isFull, isGone } from './message.js'
import type { Reply } from './message.js'
import type { ExchangeRecord } from './record.js'

interface Head {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
}

export class ClientSink {
  readonly #session: Session
  readonly #reply: Reply
  readonly #record: ExchangeRecord
  readonly #headOnly: boolean
  /** Not told yet. */
  #head: Head | undefined
  #stopped = false
  #tail: Promise<void> | undefined

  constructor(session: Session, reply: Reply, record: ExchangeRecord, headOnly: boolean) {
    this.#session = session
    this.#reply = reply
    this.#record = record
    this.#headOnly = headOnly
  }

  /** Goes with the first bytes of the body, which mostly are there already. */
  head(status: number, headers: Head['headers']): void {
    this.#head = { status, headers }
    // Who waits for events wants to know that they will come.
    if (headers['content-length'] === undefined) setImmediate(() => this.#flush())
  }

  /** A promise where the caller must be waited for. */
  write(chunk: Buffer): Settled<void> {
    if (chunk.length === 0 || this.#headOnly) return
    const head = this.#begun()
    this.#record.body('upstream', chunk)
    let full = false
    const waiting = this.#then(head, () => (full = !this.#reply.write(chunk)))
    if (waiting !== undefined) return waiting.then(() => this.#drained())
    return full ? this.#drained() : undefined
  }

  end(trailers: Readonly<Record<string, string>>): Settled<void> {
    const head = this.#begun()
    this.#record.ended('upstream')
    return this.#then(head, () => {
      if (Object.keys(trailers).length > 0) this.#reply.addTrailers({ ...trailers })
      this.#reply.end()
    })
  }

  /** Nothing more is told of this answer; what waits to be written is not. */
  stop(): void {
    this.#stopped = true
  }

  #flush(): void {
    if (this.#head === undefined || this.#stopped) return
    try {
      this.#then(this.#begun(), () => this.#reply.flushHeaders())?.catch(() => {})
    } catch (error) {
      // The record is over: so is the session, and with it this answer.
      if (!isKnownError(error)) throw error
    }
  }

  /** The head, on record, if it is still to be sent. */
  #begun(): Head | undefined {
    const head = this.#head
    this.#head = undefined
    if (head !== undefined) this.#record.response(head.status, head.headers)
    return head
  }

  /** Nothing is seen that is not on record as durably as the target asks. Most often that is so at once. */
  #then(head: Head | undefined, send: () => void): Promise<void> | undefined {
    const act = (): void => {
      if (this.#stopped || isGone(this.#reply)) return
      if (head !== undefined) this.#reply.writeHead(head.status, head.headers)
      send()
    }
    const settled = this.#session.settled()
    if (this.#tail === undefined && !(settled instanceof Promise)) {
      act()
      return undefined
    }
    const before = this.#tail
    const next = (async () => {
      await before
      await settled
      act()
    })()
    this.#tail = next
    const done = (): void => {
      if (this.#tail === next) this.#tail = undefined
    }
    next.then(done, done)
    return next
  }

  #drained(): Promise<void> {
    return isGone(this.#reply) || !isFull(this.#reply) ? Promise.resolve() : drained(this.#reply)
  }
}
