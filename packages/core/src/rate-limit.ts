// So many calls per caller in a while: a bucket that fills again with time. Bounded in callers too.

import { Remembered } from './remembered.js'

interface Bucket {
  left: number
  atMs: number
}

/** Enough for every machine of a large office at once; beyond it the least recent caller is forgotten, which only favours it. */
const MAX_CALLERS = 10_000

export class RateLimit {
  readonly #burst: number
  readonly #perSecond: number
  readonly #buckets = new Remembered<string, Bucket>({ entries: MAX_CALLERS, weight: MAX_CALLERS })

  constructor(limit: { readonly burst: number; readonly perSecond: number }) {
    this.#burst = limit.burst
    this.#perSecond = limit.perSecond
  }

  /** Takes one; answers the seconds to wait where none is left, else 0. */
  take(caller: string, nowMs: number): number {
    const bucket = this.#filled(caller, nowMs)
    if (bucket.left < 1) return Math.ceil((1 - bucket.left) / this.#perSecond)
    bucket.left -= 1
    return 0
  }

  /** Seconds until `take` would succeed, taking nothing. */
  waitSeconds(caller: string, nowMs: number): number {
    const { left } = this.#filled(caller, nowMs)
    return left < 1 ? Math.ceil((1 - left) / this.#perSecond) : 0
  }

  #filled(caller: string, nowMs: number): Bucket {
    const known = this.#buckets.get(caller)
    const bucket = known ?? { left: this.#burst, atMs: nowMs }
    bucket.left = Math.min(this.#burst, bucket.left + (Math.max(0, nowMs - bucket.atMs) / 1000) * this.#perSecond)
    bucket.atMs = nowMs
    if (known === undefined) this.#buckets.set(caller, bucket, 1)
    return bucket
  }
}
