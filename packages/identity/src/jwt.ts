// JWTs of the configured providers, checked once and remembered until they expire.

import { createHash } from 'node:crypto'
import { Remembered } from '@sallyport/core'
import { decodeJwt } from 'jose'
import type { JWTPayload } from 'jose'
import { openProvider } from './provider.js'
import { Refusal } from './refusal.js'
import type { Fetch } from './fetch.js'
import type { OidcProvider } from './provider.js'

export interface CheckedJwt {
  readonly claims: JWTPayload
  readonly provider: OidcProvider
  /** For the record: which token it was, without being it. */
  readonly id: string
  readonly expiresAt: Date
}

const maxJwtLength = 16_384
const remembered = { entries: 2_000, weight: 2_000 }

export function looksLikeJwt(token: string): boolean {
  return token.length <= maxJwtLength && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)
}

/** The check throws for whatever is not a valid JWT of one of the providers. */
export function createJwtCheck(
  providers: readonly OidcProvider[],
  fetch: Fetch,
  now: () => number,
): (token: string) => Promise<CheckedJwt> {
  const checks = new Map(providers.map((provider) => [provider.issuer, { provider, check: openProvider(provider, fetch, now) }]))
  const known = new Remembered<string, CheckedJwt>(remembered)
  return async (token) => {
    const key = createHash('sha256').update(token).digest('hex')
    const before = known.get(key)
    if (before !== undefined && before.expiresAt.getTime() > now()) return before
    const found = checks.get(decodeJwt(token).iss ?? '')
    if (found === undefined) throw new Refusal('the JWT is of no configured issuer')
    const claims = await found.check(token)
    const expiresAt = new Date((claims.exp ?? 0) * 1000)
    const checked = { claims, provider: found.provider, id: `${found.provider.name}:${claims.jti ?? key.slice(0, 16)}`, expiresAt }
    known.set(key, checked, 1)
    return checked
  }
}
