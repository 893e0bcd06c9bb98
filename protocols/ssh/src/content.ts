// Bulk data as the record keeps it: the beginning up to a cap, and the size and SHA-256 of the whole.

import { createHash } from 'node:crypto'

/** What a person looks at of a file; the rest is known by its hash. */
const contentCapBytes = 256 * 1024

export class Content {
  readonly #hash = createHash('sha256')
  readonly #capBytes: number
  #sizeBytes = 0

  constructor(capBytes = contentCapBytes) {
    this.#capBytes = capBytes
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Not all of it was recorded. */
  get isCut(): boolean {
    return this.#sizeBytes > this.#capBytes
  }

  /** Answers with the part of these bytes that is to be recorded. */
  take(bytes: Buffer): Buffer {
    this.#hash.update(bytes)
    const room = Math.max(this.#capBytes - this.#sizeBytes, 0)
    this.#sizeBytes += bytes.length
    return bytes.length <= room ? bytes : bytes.subarray(0, room)
  }

  /** `1234 bytes, sha256 ...`; of what was not all recorded it says so. Call once. */
  summary(): string {
    const kept = this.isCut ? `, the first ${this.#capBytes} recorded` : ''
    return `${this.#sizeBytes} bytes, sha256 ${this.#hash.digest('hex')}${kept}`
  }
}
