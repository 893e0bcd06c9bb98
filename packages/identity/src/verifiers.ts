// What is kept of a token instead of the token: enough to check each protocol's challenge-response, never enough to log in with it.

import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import type { TokenVerifiers } from '@sallyport/core'

/** PostgreSQL's own default. The token is random, so more rounds would only slow the honest down. */
export const scramIterations = 4096
const saltBytes = 16

/**
 * The salt all tokens of one identity share, so that one exchange can be tried against each of them. It follows from the name and the
 * installation's secret alone: a user that does not exist gets a salt as steady and as random as any other.
 */
export function scramSalt(secret: Uint8Array, identity: string): Uint8Array {
  return createHmac('sha256', secret).update('scram-salt\0').update(identity).digest().subarray(0, saltBytes)
}

/** RFC 5802, section 3, with SHA-256 (RFC 7677). Tokens are ASCII, so SASLprep changes nothing in them. */
export function scramVerifiers(token: string, salt: Uint8Array, iterations: number): TokenVerifiers['scramSha256'] {
  const salted = pbkdf2Sync(token, salt, iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  return {
    salt: Buffer.from(salt).toString('hex'),
    iterations,
    storedKey: createHash('sha256').update(clientKey).digest('hex'),
    serverKey: createHmac('sha256', salted).update('Server Key').digest('hex'),
  }
}

export function tokenVerifiers(token: string, salt: Uint8Array): TokenVerifiers {
  return {
    scramSha256: scramVerifiers(token, salt, scramIterations),
    mysqlNativePassword: twice('sha1', token),
    cachingSha2Password: twice('sha256', token),
  }
}

function twice(algorithm: 'sha1' | 'sha256', token: string): string {
  const once = createHash(algorithm).update(token).digest()
  return createHash(algorithm).update(once).digest('hex')
}
