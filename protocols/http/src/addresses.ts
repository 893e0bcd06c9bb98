// A target's address, taken apart once: each request asks for parts of it several times.

import type { Target } from '@sallyport/core'

export interface Address {
  readonly url: URL
  readonly host: string
  readonly origin: string
  /** `/api` of `https://crm.internal/api/`: what stands before every path at the target. */
  readonly base: string
  /** `https://*.pypi.org`: hosts that are reached by tunnel, where a rule allows it. */
  readonly many: boolean
}

const known = new WeakMap<Target, Address>()

export function addressOf(target: Target): Address {
  const before = known.get(target)
  if (before !== undefined) return before
  const url = new URL(target.address)
  const { host, origin } = url
  const made = { url, host, origin, base: url.pathname.replace(/\/$/, ''), many: url.hostname.includes('*') }
  known.set(target, made)
  return made
}
