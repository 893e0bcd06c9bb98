// Bytes that arrived and were not yet taken. Taking what lies in one chunk copies nothing.

export class ByteQueue {
  #chunks: Buffer[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#length += chunk.length
  }

  /** Puts bytes back in front that were just taken. */
  unshift(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#chunks.unshift(bytes)
    this.#length += bytes.length
  }

  /** The byte at `offset` from the front; the caller has checked `length`. */
  at(offset: number): number {
    let rest = offset
    for (const chunk of this.#chunks) {
      if (rest < chunk.length) return chunk[rest] as number
      rest -= chunk.length
    }
    throw new RangeError(`byte ${offset} of a queue of ${this.#length}`)
  }

  uint32At(offset: number): number {
    const first = this.#chunks[0]
    if (first !== undefined && offset + 4 <= first.length) return first.readUInt32BE(offset)
    return ((this.at(offset) << 24) | (this.at(offset + 1) << 16) | (this.at(offset + 2) << 8) | this.at(offset + 3)) >>> 0
  }

  /** The first `size` bytes, removed; the caller has checked `length`. */
  take(size: number): Buffer {
    const first = this.#chunks[0]
    if (first === undefined || size > this.#length) {
      if (size === 0) return Buffer.alloc(0)
      throw new RangeError(`take ${size} of a queue of ${this.#length}`)
    }
    this.#length -= size
    if (first.length > size) {
      this.#chunks[0] = first.subarray(size)
      return first.subarray(0, size)
    }
    if (first.length === size) {
      this.#chunks.shift()
      return first
    }
    return this.#join(size)
  }

  /** As much as lies in the first chunk, at most `limit` bytes: for bodies that pass without being understood. */
  takeSome(limit: number): Buffer {
    const first = this.#chunks[0]
    return first === undefined ? Buffer.alloc(0) : this.take(Math.min(limit, first.length))
  }

  #join(size: number): Buffer {
    const joined = Buffer.allocUnsafe(size)
    let filled = 0
    let used = 0
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(0, size - filled)
      part.copy(joined, filled)
      filled += part.length
      if (part.length < chunk.length) {
        this.#chunks[used] = chunk.subarray(part.length)
        break
      }
      used += 1
      if (filled === size) break
    }
    this.#chunks.splice(0, used)
    return joined
  }
}
