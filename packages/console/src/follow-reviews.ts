// Keeps the known reviews true while the page is open: told at once while it is looked at, asked now and then while it is not.

import type { Gateway } from './gateway.js'
import { Refused } from './gateway.js'
import { backOffMs, withReviews } from './known-reviews.js'
import type { KnownReviews } from './known-reviews.js'
import type { Review } from './shapes.js'

/** A hidden page only has its title to show. A browser opens few connections to a host at once, and hidden pages must not hold them. */
const HIDDEN_PAUSE_MS = 20_000
const LISTED = 100

export interface Following {
  readonly gateway: Gateway
  /** With everything known, whenever it changed. */
  readonly onReviews: (known: KnownReviews) => void
  /** What keeps the page from knowing more; undefined once it is over. */
  readonly onTrouble: (trouble: string | undefined) => void
}

/** Until `signal` ends it, or the caller is signed out. */
export async function followReviews({ gateway, onReviews, onTrouble }: Following, signal: AbortSignal): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    const turn = new AbortController()
    const end = (): void => turn.abort()
    signal.addEventListener('abort', end, { once: true })
    document.addEventListener('visibilitychange', end, { once: true })
    try {
      for await (const known of document.hidden ? asked(gateway, turn.signal) : told(gateway, turn.signal)) {
        failures = 0
        onTrouble(undefined)
        onReviews(known)
      }
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return
      if (!turn.signal.aborted) {
        failures += 1
        if (failures > 1) onTrouble('Not connected to the gateway: what is shown may be old. Trying again.')
      }
    } finally {
      signal.removeEventListener('abort', end)
      document.removeEventListener('visibilitychange', end)
    }
    await pause(turn.signal.aborted ? 0 : backOffMs(failures, Math.random()), signal)
  }
}

async function* asked(gateway: Gateway, signal: AbortSignal): AsyncGenerator<KnownReviews> {
  while (!signal.aborted) {
    yield withReviews(new Map(), await gateway.call<readonly Review[]>('GET', `/reviews?limit=${LISTED}`, { signal }))
    await pause(HIDDEN_PAUSE_MS, signal)
  }
}

/** First all that are open, ended by an empty line; then each review that changes, and an empty line now and then. */
async function* told(gateway: Gateway, signal: AbortSignal): AsyncGenerator<KnownReviews> {
  let known: KnownReviews = new Map()
  let complete = false
  for await (const line of gateway.lines<Partial<Review>>('/reviews/watch', signal)) {
    if (isReview(line)) known = withReviews(known, [line])
    else if (!complete) {
      complete = true
      known = withReviews(known, await gateway.call<readonly Review[]>('GET', `/reviews?limit=${LISTED}`, { signal }))
    }
    if (complete) yield known
  }
}

function isReview(line: Partial<Review>): line is Review {
  return line.id !== undefined
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done)
  })
}
