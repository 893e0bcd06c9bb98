// What the waiting statement is told, read from the record as it ended.

import type { ReviewRecord, Settlement } from '@sallyport/core'
import { bindingOf, conclusionOf } from './quorum.js'

/** `opened` is the record as this node made it; the table's copy must still say the same. */
export function settlementOf(settled: ReviewRecord, opened: ReviewRecord): Settlement {
  const reviewers = settled.decisions.map(({ reviewer }) => reviewer)
  if (settled.state === 'approved') {
    return isWhole(settled, opened)
      ? { kind: 'approved', reviewers }
      : denied(opened.id, 'the review was altered after it was opened', reviewers)
  }
  if (settled.state === 'denied') {
    const no = settled.decisions.find(({ kind }) => kind === 'deny')
    const said = no === undefined ? 'a reviewer said no' : `${no.reviewer} said no${no.reason === '' ? '' : `: ${no.reason}`}`
    return denied(opened.id, said, reviewers)
  }
  if (settled.state === 'expired') {
    return { kind: 'denied', cause: 'review-expired', reason: 'nobody decided in time', reviewers, review: opened.id }
  }
  return withdrawn(opened.id, reviewers)
}

/** What people saw and what now runs must be the same, and the record alone must show that enough of them agreed. */
function isWhole(settled: ReviewRecord, opened: ReviewRecord): boolean {
  const bound = settled.binding === opened.binding && bindingOf(settled) === opened.binding
  return bound && conclusionOf({ ...settled, asks: opened.asks }) === 'approved'
}

export function denied(review: string, reason: string, reviewers: readonly string[] = []): Settlement {
  return { kind: 'denied', cause: 'review-denied', reason, reviewers, review }
}

export function withdrawn(review: string, reviewers: readonly string[] = []): Settlement {
  return { kind: 'denied', cause: 'review-withdrawn', reason: 'the caller withdrew it', reviewers, review }
}
