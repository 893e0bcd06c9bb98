// Failed logins, counted for a while, so that guessing and broken clients cost us little. Bounded: the least recent is forgotten first.

import { Remembered } from '@sallyport/core'

export interface FailureLimits {
  /** Failures in a row before refusing. */
  readonly burst: number
  /** After which time one more failure is allowed. */
  readonly refillMs: number
  /** Keys kept. */
  readonly entries: number
}

export interface FailureLimiter {
  /** Whether so many logins of this key failed that the next is refused unseen. */
  blocked(key: string): boolean
  failed(key: string): void
}

export function createFailureLimiter(limits: FailureLimits, now: () => number): FailureLimiter {
  const spent = new Remembered<string, { readonly failures: number; readonly at: number }>({
    entries: limits.entries,
    weight: limits.entries,
  })
  const failuresNow = (key: string): number => {
    const entry = spent.get(key)
    // A clock that was set back must not make failures of the past grow.
    return entry === undefined ? 0 : Math.max(0, entry.failures - Math.max(0, now() - entry.at) / limits.refillMs)
  }
  return {
    blocked: (key) => failuresNow(key) > limits.burst - 1,
    failed: (key) => spent.set(key, { failures: Math.min(limits.burst, failuresNow(key) + 1), at: now() }, 1),
  }
}

/** The part of `address:port` that one client cannot vary at will: an IPv4 address, or the first 64 bits of an IPv6 one. */
export function clientOf(address: string): string {
  const host = address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1]
  if (mapped !== undefined) return mapped
  return host.includes(':') ? network64(host) : host
}

function network64(address: string): string {
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - after.length)
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...after]
  return all
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')
}
