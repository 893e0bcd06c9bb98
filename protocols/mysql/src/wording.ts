// How errors and denials read to a MySQL client. One place, so that codes and wording stay together.

import { isKnownError, wordDenial } from '@sallyport/core'
import type { Denial } from '@sallyport/core'
import type { ErrorWords } from './packets.js'

/** Code and SQLSTATE by our code (MySQL Error Message Reference); the rest by fault. Never a client's own code (2000 and up): clients take that for damage. */
const numbers: Readonly<Record<string, readonly [code: number, state: string]>> = {
  unauthenticated: [1045, '28000'],
  'not-granted': [1045, '28000'],
  'connect-denied': [1045, '28000'],
  'session-ended': [1927, '70100'],
  stopping: [1053, '08S01'],
  'idle-limit': [4031, 'HY000'],
  'login-timeout': [1159, '08S01'],
  'target-unreachable': [1429, 'HY000'],
  'target-login-failed': [1045, '28000'],
  'target-gone': [1429, 'HY000'],
}

/** The last packet of a session. Only a Denied, a Malformed client and the target's name are shown; a bug shows nothing of itself. */
export function wordFatal(error: unknown, session?: string): ErrorWords {
  const where = session === undefined ? '' : ` (session ${session})`
  if (!isKnownError(error))
    return { code: 1105, state: 'HY000', message: `the gateway met a fault of its own and ended this session${where}` }
  const [code, state] = numbers[error.code] ?? (error.fault === 'client' ? [1835, 'HY000'] : [1105, 'HY000'])
  return { code, state, message: `${error.message}${where}` }
}

/** MySQL has one line: rule and reason, what to do next, where it is on record. */
export function wordStatementDenial(denial: Denial, session: string, statement: number): ErrorWords {
  const { message, detail, hint } = wordDenial(denial, session, statement)
  const [code, state] = denial.cause === 'review-withdrawn' ? [1317, '70100'] : [1227, '42000']
  return { code, state, message: `${message} ${hint} ${detail}` }
}

/** What stands in for an error text of a statement that touched masked columns: the code is kept, the text could hold a value. */
export const coveredText = 'the target reported an error whose text is covered, because the statement touches masked columns'
