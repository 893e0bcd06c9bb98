// The time of a frame is the wall clock's, also after it was set or the machine slept.

import { afterEach, expect, it, vi } from 'vitest'
import { microseconds } from './frame.js'

afterEach(() => vi.restoreAllMocks())

it('ticks in microseconds while both clocks agree, and follows the wall where it was set', () => {
  vi.spyOn(performance, 'now').mockReturnValue(1.2345)
  const ticked = performance.timeOrigin + 1.2345
  vi.spyOn(Date, 'now').mockReturnValue(ticked + 100)
  expect(microseconds()).toBe(Math.round(ticked * 1000))
  vi.spyOn(Date, 'now').mockReturnValue(Math.round(ticked) - 3_600_000)
  expect(microseconds()).toBe((Math.round(ticked) - 3_600_000) * 1000)
})
