// Reads the spool batch by batch, behind the writer. Tells a batch that is still being written from one that a crash tore, and both
// from damage, which is reported and never passed over in silence.

import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { BATCH_HEAD_BYTES, BATCH_MAGIC, segmentName, segmentStarts } from './spool.js'

export type SpoolRead =
  /** `frames` is good until the next read. */
  | { readonly kind: 'batch'; readonly frames: Buffer; readonly end: number }
  /** Nothing whole is there yet. `torn`: what is there does not add up, though it may still be being written. */
  | { readonly kind: 'none'; readonly torn: boolean }
  /** Positions that cannot be read any more. `tail`: an unfinished last write before a crash, which nobody had settled. */
  | { readonly kind: 'skipped'; readonly from: number; readonly to: number; readonly tail: boolean }

const WINDOW_BYTES = 1024 * 1024

interface OpenSegment {
  readonly fd: number
  readonly start: number
}

export class SpoolReader {
  readonly #directory: string
  #segment: OpenSegment | undefined
  #position: number
  #window: Buffer = Buffer.allocUnsafeSlow(WINDOW_BYTES)
  /** The part of the window that is filled, and the position of its first byte. */
  #filled = 0
  #windowStart = 0

  constructor(directory: string, position: number) {
    this.#directory = directory
    this.#position = position
  }

  get position(): number {
    return this.#position
  }

  next(): SpoolRead {
    const segment = (this.#segment ??= this.#open())
    if (segment === undefined) return this.#absent()
    const head = this.#bytes(segment, BATCH_HEAD_BYTES)
    if (head === undefined) return this.#atEnd(segment)
    const length = head.readUInt32LE(4)
    const expected = head.readUInt32LE(8)
    if (head.readUInt32LE(0) !== BATCH_MAGIC) return this.#atEnd(segment)
    const batch = this.#bytes(segment, BATCH_HEAD_BYTES + length)
    if (batch === undefined) return this.#atEnd(segment)
    const frames = batch.subarray(BATCH_HEAD_BYTES)
    if (crc32(frames) !== expected) return this.#atEnd(segment)
    this.#position += BATCH_HEAD_BYTES + length
    return { kind: 'batch', frames, end: this.#position }
  }

  /** The segment that holds the position, or starts at it. */
  #open(): OpenSegment | undefined {
    const starts = segmentStarts(this.#directory)
    const start = starts.findLast((at) => at <= this.#position)
    if (start === undefined) return undefined
    const fd = openSync(join(this.#directory, segmentName(start)), 'r')
    this.#filled = 0
    if (start === this.#position || this.#position < start + fstatSync(fd).size || start === starts.at(-1)) return { fd, start }
    closeSync(fd)
    return undefined
  }

  #absent(): SpoolRead {
    const next = segmentStarts(this.#directory).find((at) => at > this.#position)
    return next === undefined ? { kind: 'none', torn: false } : this.#skip(next, false)
  }

  #skip(to: number, tail: boolean): SpoolRead {
    const from = this.#position
    this.#position = to
    this.#leave()
    return { kind: 'skipped', from, to, tail }
  }

  #leave(): void {
    if (this.#segment !== undefined) closeSync(this.#segment.fd)
    this.#segment = undefined
  }

  /** No whole batch here. While this is the newest segment the writer may be at it; after that it is the segment's end, or worse. */
  #atEnd(segment: OpenSegment): SpoolRead {
    const next = segmentStarts(this.#directory).find((at) => at > segment.start)
    // Looked up before the size: once the next segment is there, nothing is added to this one.
    const size = fstatSync(segment.fd).size
    const rest = segment.start + size - this.#position
    if (next === undefined) {
      this.#filled = 0
      return { kind: 'none', torn: rest > 0 }
    }
    if (rest === 0 && next === this.#position) {
      this.#leave()
      return this.next()
    }
    if (rest > 0 && this.#readableNow(segment)) return this.next()
    return this.#skip(next, this.#isTail(segment, rest))
  }

  /** Between the failed read and now the writer may have finished both the batch and the segment: read once more, afresh. */
  #readableNow(segment: OpenSegment): boolean {
    this.#filled = 0
    const head = this.#bytes(segment, BATCH_HEAD_BYTES)
    if (head === undefined || head.readUInt32LE(0) !== BATCH_MAGIC) return false
    const expected = head.readUInt32LE(8)
    const batch = this.#bytes(segment, BATCH_HEAD_BYTES + head.readUInt32LE(4))
    return batch !== undefined && crc32(batch.subarray(BATCH_HEAD_BYTES)) === expected
  }

  /** A torn last write reaches the end of the segment, by its own length or as zeros that were never filled in. */
  #isTail(segment: OpenSegment, rest: number): boolean {
    if (rest < BATCH_HEAD_BYTES) return true
    const head = this.#bytes(segment, BATCH_HEAD_BYTES)
    if (head === undefined) return true
    if (head.readUInt32LE(0) === BATCH_MAGIC) return BATCH_HEAD_BYTES + head.readUInt32LE(4) >= rest
    const unread = this.#bytes(segment, rest)
    return unread !== undefined && unread.every((byte) => byte === 0)
  }

  /** `count` bytes from the position, or undefined where they are not there yet. */
  #bytes(segment: OpenSegment, count: number): Buffer | undefined {
    let at = this.#position - this.#windowStart
    if (this.#filled === 0 || at < 0 || at + count > this.#filled) {
      this.#fill(segment, count)
      at = 0
    }
    return at + count <= this.#filled ? this.#window.subarray(at, at + count) : undefined
  }

  #fill(segment: OpenSegment, count: number): void {
    const offset = this.#position - segment.start
    const there = fstatSync(segment.fd).size - offset
    this.#windowStart = this.#position
    this.#filled = 0
    // A length that a torn head claims must not ask for more memory than the file has bytes.
    if (there < count) return
    const wanted = Math.max(count, WINDOW_BYTES)
    if (this.#window.length < wanted || this.#window.length > Math.max(wanted, WINDOW_BYTES))
      this.#window = Buffer.allocUnsafeSlow(wanted)
    this.#filled = readSync(segment.fd, this.#window, 0, Math.min(this.#window.length, there), offset)
  }

  /** Deletes the segments that end at or before `position`; the newest stays, for the writer has it open. */
  deleteBefore(position: number): void {
    const starts = segmentStarts(this.#directory)
    for (const [index, start] of starts.entries()) {
      const next = starts[index + 1]
      if (next === undefined || next > position) return
      rmSync(join(this.#directory, segmentName(start)), { force: true })
    }
  }

  close(): void {
    this.#leave()
  }
}
