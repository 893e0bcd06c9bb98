// Cuts the client's stream into messages. Each is held whole until it is understood, except COPY data, which passes in slices.

import { Malformed } from '@sallyport/core'
import { ByteQueue } from '@sallyport/wire'
import { fromClient } from './messages.js'

/** Held whole, since they must be understood: the biggest text or set of bound values a client may send. */
const maxHeldBytes = 64 * 1024 * 1024
/** PQ_SMALL_MESSAGE_LIMIT of the server (src/include/libpq/libpq.h). */
const maxSmallBytes = 10_000
/** COPY data passes in slices; PQ_LARGE_MESSAGE_LIMIT of the server. */
const maxCopyBytes = 0x3fffffff
/** `copy`: a slice of a CopyData message, with its head where it begins. */
export type Request =
  { readonly kind: 'message'; readonly type: number; readonly bytes: Buffer } | { readonly kind: 'copy'; readonly bytes: Buffer }

export class Requests {
  readonly #queue = new ByteQueue()
  /** Bytes of the current CopyData message that were not passed yet. */
  #copyLeft = 0

  get length(): number {
    return this.#queue.length
  }

  push(chunk: Buffer): void {
    this.#queue.push(chunk)
  }

  /** Undefined until more has arrived. Throws Malformed for a type or a length that no client may send. */
  next(): Request | undefined {
    if (this.#copyLeft > 0) return this.#slice()
    if (this.#queue.length < 5) return undefined
    const type = this.#queue.at(0)
    const size = this.#queue.uint32At(1) + 1
    checkSize(type, size)
    if (type === fromClient.copyData) {
      this.#copyLeft = size
      return this.#slice()
    }
    return this.#queue.length < size ? undefined : { kind: 'message', type, bytes: this.#queue.take(size) }
  }

  /** The message must wait: it comes again. */
  putBack(bytes: Buffer): void {
    this.#queue.unshift(bytes)
  }

  #slice(): Request | undefined {
    if (this.#queue.length === 0) return undefined
    const bytes = this.#queue.takeSome(this.#copyLeft)
    this.#copyLeft -= bytes.length
    return { kind: 'copy', bytes }
  }
}

function checkSize(type: number, size: number): void {
  const limit = limits[type]
  if (limit === undefined)
    throw new Malformed('client', 'unexpected-message', `message ${printed(type)} is not one that a client may send`)
  if (size < 5 || size > limit)
    throw new Malformed('client', 'message-too-long', `message ${printed(type)} of ${size} bytes; the limit is ${limit}`)
}

export const printed = (type: number): string => JSON.stringify(String.fromCharCode(type))

const limits: Readonly<Record<number, number>> = {
  [fromClient.bind]: maxHeldBytes,
  [fromClient.close]: maxSmallBytes,
  [fromClient.copyData]: maxCopyBytes,
  [fromClient.copyDone]: maxSmallBytes,
  [fromClient.copyFail]: maxSmallBytes,
  [fromClient.describe]: maxSmallBytes,
  [fromClient.execute]: maxSmallBytes,
  [fromClient.flush]: maxSmallBytes,
  [fromClient.functionCall]: maxHeldBytes,
  [fromClient.parse]: maxHeldBytes,
  [fromClient.query]: maxHeldBytes,
  [fromClient.sync]: maxSmallBytes,
  [fromClient.terminate]: maxSmallBytes,
}
