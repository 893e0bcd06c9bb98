// The fields that SSH's messages, keys and certificates are made of (RFC 4251, section 5), cut and written.

import { Malformed } from '@sallyport/core'

/** Cuts fields from the front. Every method throws Malformed where there is less than the field says. */
export class Fields {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get position(): number {
    return this.#at
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length
  }

  uint32(): number {
    return this.#take(4).readUInt32BE()
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE()
  }

  string(): Buffer {
    return this.#take(this.uint32())
  }

  /** A string that is UTF-8 without control characters: names, which people read. */
  text(): string {
    const bytes = this.string()
    const text = bytes.toString('utf8')
    if (!Buffer.from(text, 'utf8').equals(bytes) || /\p{Cc}/u.test(text)) throw malformed('a name in it is not readable text')
    return text
  }

  /** A number without sign, as its bytes without leading zeros. Throws for a negative one. */
  mpint(): Buffer {
    const bytes = this.string()
    const [first = 0, second = 0] = bytes
    if (bytes.length === 0 || first >= 0x80) throw malformed('a number in it is negative or nothing')
    if (first !== 0) return bytes
    if (second < 0x80) throw malformed('a number in it is not written as short as it can be')
    return bytes.subarray(1)
  }

  /** Throws where something follows. */
  end(): void {
    if (!this.ended) throw malformed('something follows after its end')
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw malformed('it is cut off')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}

export function malformed(what: string): Malformed {
  return new Malformed('client', 'bad-key', `not a key or certificate of SSH: ${what}`)
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

export function string(value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint32(bytes.length), bytes])
}
