// How errors and denials read to a Postgres client. One place, so that codes and wording stay together.

import { isKnownError, wordDenial } from '@sallyport/core'
import type { Denial } from '@sallyport/core'
import type { ErrorWords } from './messages.js'

/** SQLSTATE by our code (PostgreSQL documentation, appendix A); the rest by fault. */
const sqlStates: Readonly<Record<string, string>> = {
  unauthenticated: '28P01',
  'not-granted': '42501',
  'connect-denied': '42501',
  'session-ended': '57P01',
  stopping: '57P01',
  'idle-limit': '57P05',
  'login-timeout': '57014',
  'unsupported-protocol': '0A000',
  'parameter-not-allowed': '42501',
  'pinned-setting-changed': '42501',
  'target-unreachable': '08001',
  'target-login-failed': '08001',
  'target-gone': '08006',
}

/** A FATAL: the session is over. Only a Denied, a Malformed client and the target's name are shown; a bug shows nothing of itself. */
export function wordFatal(error: unknown, session?: string): ErrorWords {
  const where = session === undefined ? {} : { detail: `Session ${session}.` }
  if (!isKnownError(error))
    return { severity: 'FATAL', code: 'XX000', message: 'the gateway met a fault of its own and ended this session', ...where }
  const code = sqlStates[error.code] ?? (error.fault === 'client' ? '08P01' : error.fault === 'upstream' ? '08006' : '58000')
  return { severity: 'FATAL', code, message: error.message, ...where }
}

export function wordStatementDenial(denial: Denial, session: string, statement: number): ErrorWords {
  const words = wordDenial(denial, session, statement)
  return { severity: 'ERROR', code: denial.cause === 'review-withdrawn' ? '57014' : '42501', ...words }
}

/** What stands in for an error text of a statement that touched masked columns: the code is kept, the text could hold a value. */
export const coveredText = 'the target reported an error whose text is covered, because the statement touches masked columns'
