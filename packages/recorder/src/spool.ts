// The node's durable log, written on the main thread: segments named by the position they start at, each a run of batches.
// A batch is one write: magic, length, CRC-32, then frames. A batch that is not whole was never settled.

import { closeSync, fdatasync, fsync, ftruncateSync, mkdirSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { FrameBuffer } from './frame-buffer.js'

export const BATCH_MAGIC = 0x31425053
export const BATCH_HEAD_BYTES = 12

/** Names sort as numbers: a position is below 2^53, which has 16 digits. */
export function segmentName(start: number): string {
  return `${String(start).padStart(16, '0')}.spool`
}

/** Where each segment starts, in order. */
export function segmentStarts(directory: string): number[] {
  return readdirSync(directory)
    .filter((name) => /^\d{16}\.spool$/.test(name))
    .map((name) => Number(name.slice(0, 16)))
    .sort((a, b) => a - b)
}

/** The first position that no segment holds. */
export function spoolEnd(directory: string): number {
  const last = segmentStarts(directory).at(-1)
  return last === undefined ? 0 : last + statSync(join(directory, segmentName(last))).size
}

export function makeSpoolDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
}

const syncData = promisify(fdatasync)
const syncFile = promisify(fsync)

interface Segment {
  readonly fd: number
  readonly start: number
  size: number
}

export class Spool {
  /** Frames are encoded here and reach the kernel at the next `write`. */
  readonly out = new FrameBuffer()
  readonly #directory: string
  readonly #segmentBytes: number
  #segment: Segment
  /** Segments that are finished and not yet synced. */
  #finished: number[] = []
  #directorySynced = false
  #synced: number
  #syncing: Promise<void> | undefined
  /** After a failed sync the kernel forgets what it could not write, so a later success would prove nothing: it stays failed. */
  #lost: unknown

  /** Starts a segment of its own at `position`: what an earlier process left is not touched. */
  constructor(directory: string, position: number, segmentBytes: number) {
    this.#directory = directory
    this.#segmentBytes = segmentBytes
    this.#segment = this.#begin(position)
    this.#synced = position
    this.out.length = BATCH_HEAD_BYTES
  }

  /** Everything before this is in the kernel. */
  get position(): number {
    return this.#segment.start + this.#segment.size
  }

  get buffered(): number {
    return this.out.length - BATCH_HEAD_BYTES
  }

  #begin(start: number): Segment {
    const fd = openSync(join(this.#directory, segmentName(start)), 'ax', 0o600)
    this.#directorySynced = false
    return { fd, start, size: 0 }
  }

  /** Hands what is buffered to the kernel in one write. Throws what the system says; what is buffered stays. */
  write(): void {
    const { out } = this
    if (out.length === BATCH_HEAD_BYTES) return
    if (this.#segment.size >= this.#segmentBytes) this.#roll()
    out.setU32(0, BATCH_MAGIC)
    out.setU32(4, out.length - BATCH_HEAD_BYTES)
    out.setU32(8, crc32(out.bytes.subarray(BATCH_HEAD_BYTES, out.length)))
    const segment = this.#segment
    try {
      let written = writeSync(segment.fd, out.bytes, 0, out.length)
      while (written < out.length) written += writeSync(segment.fd, out.bytes, written, out.length - written)
    } catch (error) {
      // A part of a batch in the middle of a segment would hide what follows it.
      ftruncateSync(segment.fd, segment.size)
      throw error
    }
    segment.size += out.length
    out.reset(BATCH_HEAD_BYTES)
  }

  #roll(): void {
    const next = this.#begin(this.position)
    this.#finished.push(this.#segment.fd)
    this.#segment = next
    // Where nobody asks for `disk`, finished segments would pile up open; closing them needs no sync.
    if (this.#syncing === undefined) void this.sync().catch(() => undefined)
  }

  get synced(): number {
    return this.#synced
  }

  /** Resolves when everything written so far is on the disk. Calls that come while one runs share the next. */
  async sync(): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost
    if (this.#syncing === undefined) {
      this.#syncing = this.#syncOnce()
        .catch((error: unknown) => {
          this.#lost = error
          throw error
        })
        .finally(() => (this.#syncing = undefined))
      return this.#syncing
    }
    const wanted = this.position
    await this.#syncing
    return this.#synced >= wanted ? undefined : this.sync()
  }

  async #syncOnce(): Promise<void> {
    const reached = this.position
    const finished = this.#finished
    this.#finished = []
    const { fd } = this.#segment
    for (const done of finished) {
      await syncData(done)
      closeSync(done)
    }
    await syncData(fd)
    if (!this.#directorySynced) {
      this.#directorySynced = true
      const directory = openSync(this.#directory, 'r')
      await syncFile(directory).finally(() => closeSync(directory))
    }
    this.#synced = reached
  }

  async close(): Promise<void> {
    await this.#syncing?.catch(() => undefined)
    for (const fd of [...this.#finished, this.#segment.fd]) closeSync(fd)
  }
}
