// A review: one statement, what rules ask about it, and who said what. And the table that keeps them, as this room needs it.

import type { Denial, Effect, ReviewAsk } from '@sallyport/core'

export type ReviewState = 'open' | 'approved' | 'denied' | 'expired' | 'withdrawn'

export interface Decision {
  readonly reviewer: string
  readonly kind: 'approve' | 'deny'
  readonly reason: string
  readonly at: Date
  /** The groups that let the reviewer decide; `adminMark` for an administrator. */
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
  /** What was agreed to: `bindingOf` text, parameters, target and identity. */
  readonly binding: string
  readonly asks: readonly ReviewAsk[]
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly state: ReviewState
  readonly decisions: readonly Decision[]
  readonly settledAt: Date | null
}

export interface ReviewTable {
  insert(record: ReviewRecord): Promise<void>
  get(id: string): Promise<ReviewRecord | undefined>
  list(filter: { readonly state?: ReviewState; readonly limit: number }): Promise<readonly ReviewRecord[]>
  /** Atomic, only while open, one decision a reviewer; undefined where it was not added. */
  addDecision(id: string, decision: Decision): Promise<ReviewRecord | undefined>
  /** Atomic, only from open; false where another came first. */
  settle(id: string, state: Exclude<ReviewState, 'open'>, at: Date): Promise<boolean>
  /** Told on every node of every decision and settlement; answers with how to stop. */
  onChange(listener: (id: string) => void): () => void
}

export type Settlement =
  | { readonly kind: 'approved'; readonly reviewers: readonly string[] }
  | {
      readonly kind: 'denied'
      readonly cause: Denial['cause']
      readonly reason: string
      readonly reviewers: readonly string[]
      /** The review's id; '' where none was opened. */
      readonly review: string
    }
