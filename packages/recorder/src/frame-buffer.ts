// A growing buffer that frames are encoded into without an object or a copy in between. Little-endian throughout.

declare global {
  interface String {
    /** ES2024; in Node since 20. */
    isWellFormed(): boolean
  }
}

/** Texts with lone surrogates have no UTF-8; they are kept as UTF-16 and marked by this bit of their length. */
export const UTF16 = 0x8000_0000
/** What is kept between batches; one huge frame must not hold its memory for ever. */
const KEPT_BYTES = 4 * 1024 * 1024
const SMALLEST_BYTES = 64 * 1024

export class FrameBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(SMALLEST_BYTES)
  length = 0
  #view = new DataView(this.bytes.buffer)

  /** Makes room for `more` bytes. */
  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
    this.#view = new DataView(grown.buffer)
  }

  /** Forgets all but the first `length` bytes. */
  reset(length: number): void {
    this.length = length
    if (this.bytes.length <= KEPT_BYTES) return
    const kept = Buffer.allocUnsafeSlow(SMALLEST_BYTES)
    this.bytes.copy(kept, 0, 0, length)
    this.bytes = kept
    this.#view = new DataView(kept.buffer)
  }

  u8(value: number): void {
    this.reserve(1)
    this.#view.setUint8(this.length, value)
    this.length += 1
  }

  u32(value: number): void {
    this.reserve(4)
    this.#view.setUint32(this.length, value, true)
    this.length += 4
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true)
  }

  /** A whole number below 2^53; anything else is written as 0, for nobody could read it back. */
  u64(number: number): void {
    const value = number >= 0 && number <= Number.MAX_SAFE_INTEGER ? number : 0
    this.reserve(8)
    this.#view.setUint32(this.length, value % 4294967296, true)
    this.#view.setUint32(this.length + 4, value / 4294967296, true)
    this.length += 8
  }

  f64(value: number): void {
    this.reserve(8)
    this.#view.setFloat64(this.length, value, true)
    this.length += 8
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  text(text: string): void {
    // No UTF-16 unit takes more than three bytes of UTF-8 (RFC 3629, section 3).
    this.reserve(4 + text.length * 3)
    const start = this.length + 4
    if (text.isWellFormed()) {
      const written = text === '' ? 0 : this.bytes.write(text, start, 'utf8')
      this.#view.setUint32(this.length, written, true)
      this.length = start + written
      return
    }
    const written = this.bytes.write(text, start, 'utf16le')
    this.#view.setUint32(this.length, written + UTF16, true)
    this.length = start + written
  }
}
