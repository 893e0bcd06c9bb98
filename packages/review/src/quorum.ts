// Whether the decisions on a review conclude it. Everything is told from the record alone, so every node comes to the same answer.

import { createHash } from 'node:crypto'
import { matchesAnyName } from '@sallyport/core'
import type { Decision, ReviewAsk, ReviewRecord } from '@sallyport/core'

/** Recorded among a decision's groups where an administrator decided. No group of this name is ever recorded. */
export const adminMark = 'admin (operator)'

export interface Reviewer {
  readonly name: string
  readonly groups: readonly string[]
  readonly admin: boolean
  /** Whom the reviewer's token acts for, where it is an agent's. */
  readonly onBehalfOf?: string | undefined
}

/** Hashes what is agreed to; nothing else may run on this agreement. */
export function bindingOf(of: Pick<ReviewRecord, 'text' | 'parameters' | 'target' | 'identity' | 'onBehalfOf'>): string {
  return createHash('sha256')
    .update(JSON.stringify([of.text, of.parameters, of.target, of.identity, of.onBehalfOf]))
    .digest('hex')
}

/** What lets the reviewer decide: the groups the asks name, the mark of an administrator. */
export function groupsThatCount(who: Reviewer, asks: readonly ReviewAsk[]): readonly string[] {
  const asked = who.groups.filter((group) => group !== adminMark && asks.some((ask) => matchesAnyName(ask.reviewers.groups, group)))
  return who.admin ? [...asked, adminMark] : asked
}

export function mayDecide(ask: ReviewAsk, decision: Pick<Decision, 'reviewer' | 'groups'>): boolean {
  const { groups, names } = ask.reviewers
  return (
    matchesAnyName(names, decision.reviewer) ||
    decision.groups.some((group) => group === adminMark || matchesAnyName(groups, group))
  )
}

/** The caller, and the person the caller acts for, never count. */
export function isOwn(record: ReviewRecord, name: string): boolean {
  return name === record.identity || name === record.onBehalfOf
}

/** One denial denies; approval needs every ask's number of distinct people. */
export function conclusionOf(record: ReviewRecord): 'approved' | 'denied' | undefined {
  const decisions = record.decisions.filter(({ reviewer }) => !isOwn(record, reviewer))
  if (decisions.some(({ kind }) => kind === 'deny')) return 'denied'
  const agreed = record.asks.every((ask) => {
    const people = new Set(decisions.filter((decision) => mayDecide(ask, decision)).map(({ reviewer }) => reviewer))
    return people.size >= Math.max(1, ask.reviewers.count)
  })
  return agreed && record.asks.length > 0 ? 'approved' : undefined
}
