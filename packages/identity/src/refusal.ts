// Why a login failed: the caller's fault, and counted against it. It reaches the log, never the caller.

import { errors } from 'jose'

export class Refusal extends Error {}

/** A database or a provider that cannot be reached is nobody's guess at a token. */
export function isCallersFault(error: unknown): boolean {
  return error instanceof Refusal || (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout))
}
