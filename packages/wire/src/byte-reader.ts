// Reads exact counts of bytes from a stream in straight-line async code, with a deadline. For handshakes only: what is left
// over is handed on by `detach()`, and must be nothing before TLS begins.

import type { Readable } from 'node:stream'
import { Malformed } from '@sallyport/core'
import type { Side } from '@sallyport/core'
import { ByteQueue } from './byte-queue.js'

export class ByteReader {
  readonly #stream: Readable
  readonly #from: Side
  readonly #deadline: AbortSignal
  readonly #queue = new ByteQueue()

  /** `deadline`: when it aborts, every read fails with its reason. */
  constructor(stream: Readable, from: Side, deadline: AbortSignal) {
    this.#stream = stream
    this.#from = from
    this.#deadline = deadline
  }

  /** Bytes already here and not yet read. */
  get buffered(): number {
    return this.#queue.length + this.#stream.readableLength
  }

  async read(size: number): Promise<Buffer> {
    while (this.#queue.length < size) await this.#more()
    return this.#queue.take(size)
  }

  /** Looks at the first `size` bytes without taking them. */
  async peek(size: number): Promise<Buffer> {
    while (this.#queue.length < size) await this.#more()
    return Buffer.from(Array.from({ length: size }, (_, offset) => this.#queue.at(offset)))
  }

  /** Ends reading; the bytes that were read ahead are the caller's. */
  detach(): Buffer {
    return this.#queue.take(this.#queue.length)
  }

  async #more(): Promise<void> {
    this.#deadline.throwIfAborted()
    const chunk = this.#stream.read() as Buffer | null
    if (chunk !== null) {
      this.#queue.push(chunk)
      return
    }
    if (this.#stream.readableEnded || this.#stream.destroyed) throw this.#gone()
    await this.#readable()
  }

  #readable(): Promise<void> {
    const stream = this.#stream
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => (): void => {
        stream.off('readable', ready).off('end', gone).off('close', gone).off('error', gone)
        this.#deadline.removeEventListener('abort', late)
        act()
      }
      const ready = settle(resolve)
      const gone = settle(() => reject(this.#gone()))
      const late = settle(() => reject(this.#deadline.reason as Error))
      stream.on('readable', ready).on('end', gone).on('close', gone).on('error', gone)
      this.#deadline.addEventListener('abort', late)
    })
  }

  #gone(): Malformed {
    return new Malformed(this.#from, 'connection-closed', `the ${this.#from} closed the connection during the handshake`)
  }
}
