// What the gateway's API answers, as this page reads it. All text in it is somebody else's and is only ever shown as text.

import type { ReachableTarget, Verified } from '@sallyport/api'
import type {
  Effect,
  FoundStatement,
  Line,
  RecordedRuling,
  RecordedStatement,
  ReviewRecord,
  Sent,
  SessionSummary,
} from '@sallyport/core'

export type { Effect, FoundStatement, Line, RecordedRuling, RecordedStatement, SessionSummary, Verified }

export type Target = ReachableTarget
export type Review = Sent<ReviewRecord>
export type Ask = Review['asks'][number]

export interface SessionPage extends SessionSummary {
  readonly statementList: readonly RecordedStatement[]
  readonly more: boolean
}

export interface Me {
  readonly name: string
  readonly kind: 'admin' | 'person' | 'service' | 'agent'
  readonly groups: readonly string[]
  readonly onBehalfOf: string | null
  readonly operator: boolean
  /** May end anybody's session, not only their own. */
  readonly mayEndSessions: boolean
  readonly expiresAt: string | null
}

export interface Rule {
  readonly name: string
  // oxlint-disable-next-line unicorn/no-thenable -- the rule language's own word; it is never a function
  readonly then: string
  readonly reason?: string
  readonly [key: string]: unknown
}

export interface Definitions {
  readonly revision: number
  readonly definitions: { readonly rules: readonly Rule[]; readonly grants: readonly Readonly<Record<string, unknown>>[] }
}
