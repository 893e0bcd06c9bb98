// An OpenID Connect provider: where its keys are, and whether a JWT is one of its own. Everything fetched is bounded in time and size.

import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose'
import { fetchBounded, timeoutMs } from './fetch.js'
import { Refusal } from './refusal.js'
import type { JWTPayload, JWTVerifyGetKey } from 'jose'
import type { Fetch } from './fetch.js'

export interface OidcProvider {
  readonly name: string
  readonly kind: 'oidc'
  readonly issuer: string
  /** What a token's `aud` must hold. */
  readonly audience: string
  readonly clientId?: string | undefined
  /** The claim that lists a user's groups. */
  readonly groupsClaim: string
  /** The claim that names a user; absent: preferred_username, else email, else sub. */
  readonly usernameClaim?: string | undefined
}

/** Answers with the claims of a JWT that the provider made for us and that is valid now; throws otherwise. */
export type JwtCheck = (token: string) => Promise<JWTPayload>

/** Asymmetric only: with `none` or a shared secret anyone who can check a token could make one. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** RFC 9068, section 2.1, and what ID tokens carry; other kinds of JWT (logout tokens) must not pass for a login. */
const types = [undefined, 'jwt', 'at+jwt', 'application/at+jwt']

/** Between two fetches that a token with an unknown key id can cause, and after a failed one. */
const cooldownMs = 30_000
const keysMaxAgeMs = 10 * 60_000
const discoveryMaxAgeMs = 3_600_000
/** Clocks differ; RFC 7519, section 4.1.4, allows "no more than a few minutes". */
const clockSkewSeconds = 30

export function openProvider(provider: OidcProvider, fetch: Fetch, now: () => number): JwtCheck {
  const get = boundedFetch(provider, fetch, now)
  let found: { readonly keys: JWTVerifyGetKey; readonly at: number } | undefined

  const keysOf = async (): Promise<JWTVerifyGetKey> => {
    if (found !== undefined && now() - found.at < discoveryMaxAgeMs) return found.keys
    const keys = createRemoteJWKSet(await discover(provider, get), {
      timeoutDuration: timeoutMs,
      cooldownDuration: cooldownMs,
      cacheMaxAge: keysMaxAgeMs,
      [customFetch]: get,
    })
    found = { keys, at: now() }
    return keys
  }

  return async (token) => {
    const { payload, protectedHeader } = await jwtVerify(token, await keysOf(), {
      issuer: provider.issuer,
      audience: provider.audience,
      algorithms,
      clockTolerance: clockSkewSeconds,
      requiredClaims: ['exp', 'sub'],
      currentDate: new Date(now()),
    })
    const type = protectedHeader.typ?.toLowerCase()
    if (!types.includes(type)) throw new Refusal(`a JWT of type ${type ?? ''} is not a login`)
    return payload
  }
}

/** OpenID Connect Discovery 1.0, section 4. */
async function discover(provider: OidcProvider, get: Fetch): Promise<URL> {
  const url = `${provider.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const response = await get(url, {
    method: 'GET',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(timeoutMs),
  })
  const document: unknown = await response.json()
  if (typeof document !== 'object' || document === null) throw new Error(`${url} is not a discovery document`)
  // Section 4.3: the document must be about the issuer it was asked of.
  if (!('issuer' in document) || document.issuer !== provider.issuer) throw new Error(`${url} is about another issuer`)
  if (!('jwks_uri' in document) || typeof document.jwks_uri !== 'string') throw new Error(`${url} names no jwks_uri`)
  return new URL(document.jwks_uri)
}

/** A pause after a failure, and nothing but what was asked for. */
function boundedFetch(provider: OidcProvider, fetch: Fetch, now: () => number): Fetch {
  let failedAt = Number.NEGATIVE_INFINITY
  return async (url, options) => {
    if (now() - failedAt < cooldownMs) throw new Error(`${provider.name} could not be reached a moment ago`)
    try {
      const response = await fetchBounded(fetch, url, options)
      if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
      return new Response(await response.arrayBuffer(), { status: 200, headers: { 'content-type': 'application/json' } })
    } catch (error) {
      failedAt = now()
      throw error
    }
  }
}
