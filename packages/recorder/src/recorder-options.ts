// What a recorder is given and what it promises.

import type { Recorder } from '@sallyport/core'
import type { StartShipper } from './shipper-link.js'

export interface RecorderLimits {
  readonly segmentBytes: number
  /** Lag at which the shipper stops resting. */
  readonly hurryBytes: number
  /** Lag at which sessions wait for the shipper. */
  readonly slowBytes: number
  /** Lag at which the record counts as failed. */
  readonly fullBytes: number
  /** How long the database may be gone. */
  readonly databaseGoneMs: number
}

/** A bulk read fills about 500 MB a second at most; these leave a minute's burst to the disk and never more than 2 GB. */
export const defaultLimits: RecorderLimits = {
  segmentBytes: 64 * 1024 * 1024,
  hurryBytes: 256 * 1024 * 1024,
  slowBytes: 1024 * 1024 * 1024,
  fullBytes: 2 * 1024 * 1024 * 1024,
  databaseGoneMs: 5 * 60_000,
}

export interface RecorderStatus {
  readonly recordings: number
  /** Bytes recorded since the spool began, and how many of them are in the database. */
  readonly position: number
  readonly shipped: number
  /** Why nothing can be recorded now. */
  readonly failure: string | undefined
  /** Why the database cannot be written now. */
  readonly stalled: string | undefined
}

export interface LocalRecorder extends Recorder {
  /** Resolves when everything recorded so far is in the database; rejects with RecordingFailed where that will not be soon. */
  shipped(): Promise<void>
  readonly status: RecorderStatus
  /** Ships what can be shipped within a short time; the rest is shipped at the next start. */
  stop(): Promise<void>
}

export interface RecorderOptions {
  readonly home: string
  readonly node: string
  readonly startShipper: StartShipper
  readonly log: (level: 'info' | 'warn' | 'error', message: string, facts?: Readonly<Record<string, unknown>>) => void
  readonly limits?: Partial<RecorderLimits>
}
