// The counter of failed logins stays small and forgets fairly.

import { expect, it } from 'vitest'
import { clientOf, createFailureLimiter } from './failures.js'

it('lets a burst pass, then one more each while', () => {
  let now = 0
  const limiter = createFailureLimiter({ burst: 3, refillMs: 1_000, entries: 10 }, () => now)
  for (let failed = 0; failed < 3; failed += 1) {
    expect(limiter.blocked('a')).toBe(false)
    limiter.failed('a')
  }
  expect(limiter.blocked('a')).toBe(true)
  expect(limiter.blocked('b')).toBe(false)
  now = 1_000
  expect(limiter.blocked('a')).toBe(false)
  limiter.failed('a')
  expect(limiter.blocked('a')).toBe(true)
  now = 60_000
  expect(limiter.blocked('a')).toBe(false)
})

it('keeps no more keys than it may', () => {
  const limiter = createFailureLimiter({ burst: 1, refillMs: 1_000, entries: 2 }, () => 0)
  for (const key of ['a', 'b', 'c']) limiter.failed(key)
  expect(['a', 'b', 'c'].map((key) => limiter.blocked(key))).toEqual([false, true, true])
})

it.each([
  ['192.0.2.1:5000', '192.0.2.1'],
  ['[::ffff:192.0.2.1]:5000', '192.0.2.1'],
  ['[2001:db8:0:1::7]:5000', '2001:db8:0:1'],
  ['[2001:db8:0:1:ffff::9]:5000', '2001:db8:0:1'],
  ['[2001:DB8:0:0001:2:3:4:5]:1', '2001:db8:0:1'],
  ['[::1]:5000', '0:0:0:0'],
])('%s is the client %s', (address, client) => {
  expect(clientOf(address)).toBe(client)
})
