// What the recorder keeps, in order. Client-facing bytes only, after login and after masking.

import type { Ruling } from './ruling.js'
import type { Statement } from './statement.js'

export type Side = 'client' | 'upstream'

/** How a statement ended. */
export interface Outcome {
  readonly statement: number
  /** Rows returned or changed, as the server counted them. */
  readonly rows: number
  /** Bytes of response sent to the client. */
  readonly bytes: number
  readonly durationMs: number
  /** The code and the text the client saw, or absent where it succeeded. */
  readonly error?: string
}

/** `at` is microseconds since the Unix epoch. `channel` is 0 where the protocol has only one. */
export type Frame =
  | { readonly kind: 'bytes'; readonly at: number; readonly channel: number; readonly from: Side; readonly bytes: Uint8Array }
  | { readonly kind: 'statement'; readonly at: number; readonly statement: Statement }
  | {
      readonly kind: 'ruling'
      readonly at: number
      readonly statement: number
      readonly ruling: Ruling
      readonly reviewers: readonly string[]
      /** The text that went on to the target, where it is not the statement's own. */
      readonly forwarded?: string
    }
  | ({ readonly kind: 'outcome'; readonly at: number } & Outcome)
  | { readonly kind: 'mark'; readonly at: number; readonly channel: number; readonly name: string; readonly detail: string }

/** A clock that was set (by hand, by a machine that slept) is this far off from one that only ticks. */
const setClockMs = 500

/** Now, as frames tell it: by the clock that only ticks, to the microsecond, as long as the wall's clock agrees; else by the wall's. */
export function microseconds(): number {
  const ticked = performance.timeOrigin + performance.now()
  const wall = Date.now()
  return Math.round((Math.abs(wall - ticked) < setClockMs ? ticked : wall) * 1000)
}

/** One line of a replay. `from: 'gateway'` is what Sallyport itself decided or did. */
export interface Line {
  readonly at: number
  readonly from: Side | 'gateway'
  readonly text: string
}
