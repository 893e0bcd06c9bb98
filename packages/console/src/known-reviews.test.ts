import { describe, expect, it } from 'vitest'
import { backOffMs, settledReviews, waitingReviews, withReviews } from './known-reviews.js'
import { approval, asked } from './samples.fixture.js'
import type { Review } from './shapes.js'

const at = (id: string, minute: number, state: Review['state'] = 'open'): Review => ({
  ...asked,
  id,
  state,
  createdAt: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
})

describe('known reviews', () => {
  it('go forward only, in whatever order news comes', () => {
    const half = { ...asked, decisions: [approval('ben')] }
    const done: Review = { ...half, state: 'approved', decisions: [approval('ben'), approval('dora')] }
    for (const news of [
      [asked, half, done],
      [done, half, asked],
      [half, done, half],
    ]) {
      expect(withReviews(new Map(), news).get('r1')).toEqual(done)
    }
    expect(withReviews(new Map(), [half, asked]).get('r1')).toEqual(half)
  })

  it('forget the oldest settled ones, and never an open one', () => {
    const many = Array.from({ length: 400 }, (_, index) => at(`r${index}`, index, index % 2 === 0 ? 'approved' : 'open'))
    const known = withReviews(new Map(), many.concat(at('old', 0, 'open'), at('older', -1, 'denied')))
    expect([...known.values()].filter(({ state }) => state === 'open')).toHaveLength(201)
    expect([known.has('older'), known.has('r0'), known.has('r398'), known.size]).toEqual([false, true, true, 401])
  })

  it('stand oldest first while they wait, and keep their place when they are settled', () => {
    const known = withReviews(new Map(), [at('new', 9), at('was', 5, 'approved'), at('first', 1), at('long ago', 0, 'denied')])
    const stay = new Set(['was'])
    expect(waitingReviews(known, stay).map(({ id }) => id)).toEqual(['first', 'was', 'new'])
    expect(settledReviews(known, stay).map(({ id }) => id)).toEqual(['long ago'])
  })

  it('are asked for less and less often while nobody answers', () => {
    expect([0, 1, 2, 6, 50].map((failures) => backOffMs(failures, 1))).toEqual([500, 1000, 2000, 30_000, 30_000])
    expect(backOffMs(50, 0)).toBe(15_000)
  })
})
