import { describe, expect, it } from 'vitest'
import { RateLimit } from './rate-limit.js'

describe('a rate limit', () => {
  it('lets a burst pass, then so many a second, for each caller by itself', () => {
    const limit = new RateLimit({ burst: 3, perSecond: 2 })
    expect([1, 2, 3, 4].map(() => limit.take('a', 0))).toEqual([0, 0, 0, 1])
    expect(limit.take('b', 0)).toBe(0)
    expect([limit.take('a', 500), limit.take('a', 500)]).toEqual([0, 1])
    expect([1, 2, 3, 4].map(() => limit.take('a', 60_000))).toEqual([0, 0, 0, 1])
  })

  it('tells the wait without taking, and a clock that goes back gives nothing', () => {
    const limit = new RateLimit({ burst: 1, perSecond: 0.1 })
    expect(limit.waitSeconds('a', 1000)).toBe(0)
    expect(limit.take('a', 1000)).toBe(0)
    expect([limit.waitSeconds('a', 1000), limit.waitSeconds('a', 0)]).toEqual([10, 10])
  })
})
