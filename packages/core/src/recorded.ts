// What is on record, as operators read it: sessions, their statements, and both in the order of time. Times are ISO 8601.

import type { DenialCause, Mask } from './ruling.js'
import type { Effect, StatementKind } from './statement.js'

/** As `sallyport sessions list --json` shows it, and some more. */
export interface SessionSummary {
  readonly id: string
  readonly identity: string
  readonly onBehalfOf: string | null
  readonly target: string
  readonly protocol: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly statements: number
  readonly denied: number
  readonly outcome: string | null
  /** What the caller is (person, service, agent), and the groups proved. */
  readonly kind: string
  readonly groups: readonly string[]
  /** `address:port` of the client's end, and what the client calls itself. */
  readonly client: string
  readonly application: string | null
  readonly node: string
  readonly bytes: number
}

export interface RecordedRuling {
  readonly kind: 'allow' | 'mask' | 'deny'
  readonly rule: string | null
  readonly reason: string | null
  readonly reviewers: readonly string[]
  readonly cause: DenialCause | null
  readonly masks: readonly Mask[]
  /** The text that went on to the target, where it is not the statement's own. */
  readonly forwarded: string | null
}

export interface RecordedStatement {
  readonly id: number
  readonly at: string
  readonly kind: StatementKind
  readonly text: string
  readonly parameters: readonly (string | null)[]
  readonly effects: readonly Effect[]
  /** Null only while it is being judged. */
  readonly ruling: RecordedRuling | null
  readonly rows: number | null
  readonly bytes: number | null
  readonly durationMs: number | null
  readonly error: string | null
}

export interface FoundStatement extends RecordedStatement {
  readonly session: string
  readonly identity: string
  readonly onBehalfOf: string | null
  readonly target: string
}

/** `cursor` names the place right after it. */
export type RecordedEvent = { readonly cursor: string; readonly session: SessionSummary } & (
  | {
      readonly kind: 'began'
      /** Connecting was ruled on, and is on record as statement 0. */
      readonly connectRuled: boolean
    }
  | { readonly kind: 'statement'; readonly statement: RecordedStatement }
  | { readonly kind: 'ended' }
)

/** As JSON carries it: a time is ISO 8601 text. */
export type Sent<T> = T extends Date ? string : T extends object ? { readonly [K in keyof T]: Sent<T[K]> } : T
