// The table that keeps reviews, as this room needs it.

import type { Decision, ReviewRecord, ReviewState } from '@sallyport/core'

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
