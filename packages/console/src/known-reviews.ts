// The reviews a page knows. Answers come by several ways and in any order; a review only ever goes forward, so the furthest one is true.

import type { Review } from './shapes.js'

export type KnownReviews = ReadonlyMap<string, Review>

/** Settled ones beyond so many are forgotten, the oldest first; open ones are never. */
const MAX_SETTLED = 200

export function withReviews(known: KnownReviews, news: readonly Review[]): KnownReviews {
  const all = new Map(known)
  for (const review of news) {
    const before = all.get(review.id)
    if (before === undefined || isFurther(review, before)) all.set(review.id, review)
  }
  const settled = [...all.values()].filter(({ state }) => state !== 'open').sort(newestFirst)
  for (const { id } of settled.slice(MAX_SETTLED)) all.delete(id)
  return all
}

function isFurther(review: Review, before: Review): boolean {
  if (before.state !== 'open') return false
  return review.state !== 'open' || review.decisions.length >= before.decisions.length
}

function newestFirst(a: Review, b: Review): number {
  return b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id)
}

/**
 * Those that wait, oldest first: what comes goes to the end, so nothing moves under a finger. `stay` were open when this page was
 * opened or since, and keep their place when they are settled.
 */
export function waitingReviews(known: KnownReviews, stay: ReadonlySet<string>): readonly Review[] {
  return [...known.values()].filter(({ id, state }) => state === 'open' || stay.has(id)).sort((a, b) => newestFirst(b, a))
}

export function settledReviews(known: KnownReviews, stay: ReadonlySet<string>): readonly Review[] {
  return [...known.values()].filter(({ id, state }) => state !== 'open' && !stay.has(id)).sort(newestFirst)
}

/** Milliseconds to wait before trying again: longer each time, and never all pages at the same moment. */
export function backOffMs(failures: number, random: number): number {
  return Math.round(Math.min(30_000, 500 * 2 ** Math.min(failures, 10)) * (0.5 + random / 2))
}
