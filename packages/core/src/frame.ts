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

/** One line of a replay. `from: 'gateway'` is what Sallyport itself decided or did. */
export interface Line {
  readonly at: number
  readonly from: Side | 'gateway'
  readonly text: string
}
