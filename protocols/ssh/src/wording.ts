// How a denial, a waiting review and an error read on a client's stderr. One place, so that they stay alike.

import { isKnownError, wordDenial } from '@sallyport/core'
import type { Denial, ReviewNotice } from '@sallyport/core'

/** "Command invoked cannot execute" (POSIX, Shell Command Language, section 2.8.2): what a shell says for a permission that is missing. */
export const deniedExit = 126
/** What OpenSSH's client ends with where the connection and not the command failed. */
export const failedExit = 255

export function wordStatementDenial(denial: Denial, session: string, statement: number): string {
  const { message, detail, hint } = wordDenial(denial, session, statement)
  return `sallyport: ${message}\n${detail}\n${hint}\n`
}

export function wordNotice(notice: ReviewNotice): string {
  return `sallyport: ${notice.text}\n`
}

/** Only what is safe to show: a Denied, an Unreachable's own words; a bug shows nothing of itself. */
export function wordError(error: unknown, session?: string): string {
  const what = isKnownError(error) ? error.message : 'the gateway met a fault of its own'
  return `sallyport: ${what}\n${session === undefined ? '' : `Session ${session}.\n`}`
}
