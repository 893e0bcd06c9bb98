// Access tokens: made here, shown once, kept as hash and verifiers.

import { createHash, randomInt } from 'node:crypto'
import { Misconfigured, secret } from '@sallyport/core'
import { tokenVerifiers } from './verifiers.js'
import type { ProviderLogin, Secret, TokenRecord } from '@sallyport/core'

export interface TokenTable {
  insert(record: TokenRecord): Promise<void>
  list(): Promise<readonly TokenRecord[]>
  /** Those neither expired nor revoked. */
  byIdentity(name: string): Promise<readonly TokenRecord[]>
  byLookup(lookup: string): Promise<TokenRecord | undefined>
  byId(id: string): Promise<TokenRecord | undefined>
  revoke(id: string, at: Date): Promise<boolean>
}

export interface TokenOrder {
  readonly identity: string
  readonly onBehalfOf: string | null
  readonly ttlMs: number
  readonly createdBy: string
  readonly login?: ProviderLogin
  /** `scramSalt` of the installation and the identity. */
  readonly salt: Uint8Array
  /** Milliseconds since the Unix epoch. */
  readonly now: number
}

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 36 of 62 characters are 214 bits: not to be guessed, and no worse for it when only the verifiers leak. */
const tokenLength = 36
const idLength = 12
const longestTtlMs = 366 * 24 * 3_600_000

export function createToken(order: TokenOrder): { readonly token: Secret; readonly record: TokenRecord } {
  if (!(order.ttlMs > 0 && order.ttlMs <= longestTtlMs)) {
    throw new Misconfigured('bad-ttl', 'a token lives longer than nothing and at most 366 days')
  }
  if (order.onBehalfOf === order.identity) {
    throw new Misconfigured('bad-on-behalf-of', `${order.identity} cannot act on behalf of itself`)
  }
  const token = `sp_${randomText(tokenLength)}`
  const record: TokenRecord = {
    id: randomText(idLength),
    identity: order.identity,
    onBehalfOf: order.onBehalfOf,
    lookup: lookupOf(token),
    verifiers: tokenVerifiers(token, order.salt),
    createdAt: new Date(order.now),
    expiresAt: new Date(order.now + order.ttlMs),
    revokedAt: null,
    createdBy: order.createdBy,
    login: order.login ?? null,
  }
  return { token: secret(token), record }
}

/** Hashing without salt or rounds is enough for a text of 214 random bits. */
export function lookupOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

export function isLive(record: TokenRecord, now: number): boolean {
  return record.revokedAt === null && record.expiresAt.getTime() > now
}

function randomText(length: number): string {
  return Array.from({ length }, () => base62.charAt(randomInt(base62.length))).join('')
}
