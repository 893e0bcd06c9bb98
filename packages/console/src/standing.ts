// Whether I may decide a review, and if not, why: told before I try. The gateway decides by itself whatever is shown here.

import type { Me, Review } from './shapes.js'

export type Standing = { readonly kind: 'may' } | { readonly kind: 'may-not'; readonly why: string }

const mayNot = (why: string): Standing => ({ kind: 'may-not', why })

export function standing(review: Review, me: Me, nowMs: number): Standing {
  if (review.state !== 'open') return mayNot(settledWords(review))
  if (Date.parse(review.expiresAt) <= nowMs) return mayNot('Its time is up; the statement must be sent again.')
  if (me.kind === 'admin') return decidedAlready(review, me) ?? { kind: 'may' }
  if (review.identity === me.name) return mayNot('This is your own statement; somebody else must decide.')
  if (review.onBehalfOf === me.name) return mayNot('Your agent sent this on your behalf; somebody else must decide.')
  if (me.onBehalfOf !== null) return mayNot('Decide in your own name: this token acts for somebody else.')
  const already = decidedAlready(review, me)
  if (already !== undefined) return already
  const asked = review.asks.some(
    ({ reviewers }) =>
      reviewers.names.some((name) => named(name, me.name)) ||
      reviewers.groups.some((group) => me.groups.some((mine) => named(group, mine))),
  )
  return asked ? { kind: 'may' } : mayNot('You are not among those who are asked.')
}

function decidedAlready(review: Review, me: Me): Standing | undefined {
  const mine = review.decisions.find(({ reviewer }) => reviewer === me.name)
  if (mine === undefined) return undefined
  return mayNot(mine.kind === 'approve' ? 'You have approved it; it waits for others to agree.' : 'You have denied it.')
}

/** Names of rules may hold `*`, for any run of characters. */
function named(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return pattern === name
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false
  let from = first.length
  for (const part of rest) {
    const found = name.indexOf(part, from)
    if (found < 0 || found + part.length > name.length - last.length) return false
    from = found + part.length
  }
  return true
}

export function settledWords(review: Review): string {
  switch (review.state) {
    case 'open':
      return 'It waits for a decision.'
    case 'approved':
      return `Approved by ${deciders(review, 'approve')}.`
    case 'denied':
      return `Denied by ${deciders(review, 'deny')}.`
    case 'expired':
      return 'Nobody decided in time.'
    case 'withdrawn':
      return 'Whoever asked withdrew it or left.'
  }
}

function deciders({ decisions }: Review, kind: 'approve' | 'deny'): string {
  const names = decisions.filter((decision) => decision.kind === kind).map(({ reviewer }) => reviewer)
  return names.length === 0 ? 'nobody' : names.join(', ')
}
