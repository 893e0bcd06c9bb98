// What a refusal looks like: RFC 9457 problem details, in words a person or a model can act on.

import { isKnownError, wordDenial } from '@sallyport/core'
import type { Denial } from '@sallyport/core'
import type { Reply } from './message.js'

export interface Problem {
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly code: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly more?: Readonly<Record<string, string | number | null>>
}

/** A request that is refused before any rule is asked. */
export class Refused extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail)
    this.problem = problem
  }
}

export function badRequest(code: string, detail: string, status = 400): Refused {
  return new Refused({ status, title: 'The request cannot be accepted', detail, code })
}

const statusByCode: Readonly<Record<string, number>> = {
  unauthenticated: 401,
  'not-granted': 403,
  'connect-denied': 403,
  'session-ended': 403,
  stopping: 503,
  'target-unreachable': 502,
  'upstream-tls-failed': 502,
  'recording-failed': 503,
}

/** Only a Denied, a refusal and the target's name are shown; a bug shows nothing of itself. */
export function problemOf(error: unknown, proxy: boolean): Problem {
  if (error instanceof Refused) return error.problem
  if (!isKnownError(error))
    return { status: 500, title: 'Gateway fault', detail: 'the gateway met a fault of its own', code: 'fault' }
  const status = statusByCode[error.code] ?? (error.fault === 'client' ? 403 : error.fault === 'upstream' ? 502 : 503)
  const base = { title: titleOf(status), detail: error.message, code: error.code }
  return status === 401 ? unauthenticated(base.detail, proxy) : { status, ...base }
}

function titleOf(status: number): string {
  if (status === 502) return 'The target cannot be reached'
  return status === 503 ? 'The gateway cannot serve this now' : 'Denied'
}

/** RFC 9110, sections 11.6.1 and 11.7.1. */
export function unauthenticated(detail: string, proxy: boolean): Problem {
  const name = proxy ? 'proxy-authenticate' : 'www-authenticate'
  return {
    status: proxy ? 407 : 401,
    title: 'Who are you?',
    detail,
    code: 'unauthenticated',
    // Each in a field of its own: browsers look no further than the first of a list.
    headers: { [name]: ['Bearer realm="sallyport"', 'Basic realm="sallyport", charset="UTF-8"'] },
  }
}

export function problemOfDenial(denial: Denial, session: string, statement: number): Problem {
  const { message, hint } = wordDenial(denial, session, statement)
  return {
    status: 403,
    title: 'Denied',
    detail: message,
    code: `denied-${denial.cause}`,
    more: { rule: denial.rule, reason: denial.reason, session, statement, hint: ours(denial, hint) },
  }
}

/** The hint about SQL that core gives by default does not fit a request. */
function ours(denial: Denial, hint: string): string {
  if (denial.hint !== undefined) return denial.hint
  if (denial.cause === 'not-understood')
    return 'Send the request in a form that can be read: one JSON body in UTF-8, unpacked, without repeated keys.'
  if (denial.cause === 'not-maskable') return 'Ask for the answer as JSON, CSV or server-sent events.'
  return hint
}

export interface Rendered {
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: Buffer
}

export function render(problem: Problem): Rendered {
  const { status, title, detail, code } = problem
  const body = Buffer.from(`${JSON.stringify({ type: 'about:blank', title, status, detail, code, ...problem.more })}\n`)
  const headers = {
    'content-type': 'application/problem+json',
    'content-length': String(body.length),
    'cache-control': 'no-store',
    ...problem.headers,
  }
  return { headers, body }
}

/** Made once: it says nothing of one answer. */
const cut = new Error('the answer cannot be finished')

/** Answers with the problem, or cuts the connection where an answer has begun already. */
export function refuse(reply: Reply, problem: Problem, headOnly: boolean): void {
  if (reply.headersSent) {
    // Closing a stream of HTTP/2 would end the answer as if it were whole; destroying it for an error does not.
    reply.destroy(cut)
    return
  }
  const { headers, body } = render(problem)
  reply.writeHead(problem.status, headers)
  reply.end(headOnly ? undefined : body)
}
