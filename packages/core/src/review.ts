// A review: one statement, what rules ask about it, who said what, and what came of it.

import type { DenialCause, ReviewAsk } from './ruling.js'
import type { Effect } from './statement.js'

export type ReviewState = 'open' | 'approved' | 'denied' | 'expired' | 'withdrawn'

export interface Decision {
  readonly reviewer: string
  readonly kind: 'approve' | 'deny'
  readonly reason: string
  readonly at: Date
  /** The groups that let the reviewer decide; a mark of its own for an administrator. */
  readonly groups: readonly string[]
}

export interface ReviewRecord {
  readonly id: string
  readonly session: string
  readonly statement: number
  readonly identity: string
  readonly onBehalfOf: string | null
  readonly target: string
  readonly text: string
  readonly parameters: readonly (string | null)[]
  readonly effects: readonly Effect[]
  /** What was agreed to: hex SHA-256 over text, parameters, target and identity. */
  readonly binding: string
  readonly asks: readonly ReviewAsk[]
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly state: ReviewState
  readonly decisions: readonly Decision[]
  readonly settledAt: Date | null
}

/** What a session makes a ruling of. */
export type Settlement =
  | { readonly kind: 'approved'; readonly reviewers: readonly string[] }
  | {
      readonly kind: 'denied'
      readonly cause: DenialCause
      readonly reason: string
      readonly reviewers: readonly string[]
      /** The review's id; '' where none was opened. */
      readonly review: string
    }
