// The caller's end of an answer: recorded, then written, no faster than the caller takes it.

import type { Settled, Session } from '@sallyport/core'
import { isFull, isGone } from './message.js'
import type { Reply } from './message.js'
import type { ExchangeRecord } from './record.js'

export class ClientSink {
  readonly #session: Session
  readonly #reply: Reply
  readonly #record: ExchangeRecord
  readonly #headOnly: boolean
  #tail: Promise<void> | undefined

  constructor(session: Session, reply: Reply, record: ExchangeRecord, headOnly: boolean) {
    this.#session = session
    this.#reply = reply
    this.#record = record
    this.#headOnly = headOnly
  }

  head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
    this.#record.response(status, headers)
    void this.#then(() => {
      if (isGone(this.#reply)) return
      this.#reply.writeHead(status, headers)
      // Who waits for events wants to know that they will come; Node keeps the head back for the first of them.
      if (headers['content-length'] === undefined) setImmediate(() => this.#flush())
    })
  }

  #flush(): void {
    if (!isGone(this.#reply) && !this.#reply.writableEnded) this.#reply.flushHeaders()
  }

  /** A promise where the caller must be waited for. */
  write(chunk: Buffer): Settled<void> {
    if (chunk.length === 0 || this.#headOnly) return
    this.#record.body('upstream', chunk)
    let full = false
    const waiting = this.#then(() => {
      if (!isGone(this.#reply)) full = !this.#reply.write(chunk)
    })
    if (waiting !== undefined) return waiting.then(() => this.#drained())
    return full ? this.#drained() : undefined
  }

  end(trailers: Readonly<Record<string, string>>): Settled<void> {
    this.#record.ended('upstream')
    return this.#then(() => {
      if (isGone(this.#reply)) return
      if (Object.keys(trailers).length > 0) this.#reply.addTrailers({ ...trailers })
      this.#reply.end()
    })
  }

  /** Nothing is seen that is not on record as durably as the target asks. Most often that is so at once. */
  #then(act: () => void): Promise<void> | undefined {
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
    if (isGone(this.#reply) || !isFull(this.#reply)) return Promise.resolve()
    return new Promise((resolve) => {
      const go = (): void => {
        this.#reply.off('drain', go)
        this.#reply.off('close', go)
        resolve()
      }
      this.#reply.once('drain', go)
      this.#reply.once('close', go)
    })
  }
}
