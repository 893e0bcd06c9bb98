// Who calls the API: the holder of the admin token, or an identity that proved itself with an access token or a JWT.

import { createHash, timingSafeEqual } from 'node:crypto'
import { Denied, matchesAnyName, secret } from '@sallyport/core'
import type { Identity, ReviewRecord, Secret } from '@sallyport/core'
import type { ApiParts, CallingEnd } from './ports.js'

export type Caller =
  | { readonly kind: 'admin'; readonly name: 'admin' }
  | {
      readonly kind: 'identity'
      readonly name: string
      readonly identity: Identity
      /** A member of a group of `operators`: may read what everyone did. */
      readonly operator: boolean
      /** A member of a group of `operators.endSessions`: an operator who may also end anybody's session. */
      readonly mayEndSessions: boolean
      readonly expiresAt: string | null
      /** Of the access token that was shown; a JWT has one too, but none that could be revoked here. */
      readonly tokenId: string | null
    }

/** Access tokens have 50 characters or so; a JWT with many groups a few thousand. */
const MAX_TOKEN_CHARACTERS = 16_384

/** Throws Denied where the token counts for nothing. */
export async function callerOf(
  token: Secret,
  parts: Pick<ApiParts, 'adminToken' | 'operators' | 'prove'> & {
    /** Throws where this address has failed too often: others' failures must not lock the admin out. */
    readonly beforeProof: () => void
  },
  client: CallingEnd,
): Promise<Caller> {
  if (sameSecret(token, parts.adminToken)) return { kind: 'admin', name: 'admin' }
  parts.beforeProof()
  const { identity, token: record } = await parts.prove(token, client)
  const { groups, endSessions } = parts.operators()
  const mayEndSessions = identity.groups.some((group) => endSessions.includes(group))
  const operator = mayEndSessions || identity.groups.some((group) => groups.includes(group))
  const [expiresAt, tokenId] = [record?.expiresAt.toISOString() ?? null, record?.id ?? null]
  return { kind: 'identity', name: identity.name, identity, operator, mayEndSessions, expiresAt, tokenId }
}

/** Throws Denied where no token is shown. */
export function bearerToken(authorization: string | undefined): Secret {
  const token = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
  if (token !== undefined && token.length <= MAX_TOKEN_CHARACTERS) return secret(token)
  throw new Denied('unauthenticated', 'show an access token: Authorization: Bearer TOKEN')
}

/** In constant time: both are hashed first, so not even their length shows. */
function sameSecret(a: Secret, b: Secret): boolean {
  const digest = (text: Secret): Buffer => createHash('sha256').update(text.reveal()).digest()
  return timingSafeEqual(digest(a), digest(b))
}

export function mayReadEverything(caller: Caller): boolean {
  return caller.kind === 'admin' || caller.operator
}

/** Whoever opened it, the person it was opened for, and those who are named for it. */
export function mayEnd(caller: Caller, of: { readonly identity: string; readonly onBehalfOf: string | null }): boolean {
  return caller.kind === 'admin' || caller.mayEndSessions || isOwn(caller, of)
}

/** One's own, and what an agent did on one's behalf. */
export function isOwn(caller: Caller, of: { readonly identity: string; readonly onBehalfOf: string | null }): boolean {
  return caller.kind === 'identity' && (of.identity === caller.name || of.onBehalfOf === caller.name)
}

/** Whether `caller` is among those a review asks; whether they may still decide it is for the reviews to say. */
export function isAsked(caller: Caller, review: ReviewRecord): boolean {
  if (caller.kind === 'admin') return true
  return review.asks.some(
    ({ reviewers }) =>
      matchesAnyName(reviewers.names, caller.name) ||
      caller.identity.groups.some((group) => matchesAnyName(reviewers.groups, group)),
  )
}
