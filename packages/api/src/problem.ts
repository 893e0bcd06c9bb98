// What went wrong, as RFC 9457 problem details. Only messages that are safe to show leave; the rest is a code and the log.

import { Denied, Malformed, Misconfigured, RecordingFailed, Unreachable } from '@sallyport/core'
import type { z } from 'zod'

export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  421: 'Misdirected request',
  422: 'Refused',
  429: 'Too many requests',
  500: 'Internal error',
  502: 'Target unreachable',
  503: 'Not available',
}

export function problem(status: number, code: string, detail: string): Problem {
  return { type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail }
}

/** Undefined for what is a bug of ours: to be logged with its stack and answered with 500. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Denied) return problem(deniedStatus(error.code), error.code, error.message)
  if (error instanceof Malformed) return problem(400, error.code, error.message)
  if (error instanceof Misconfigured) return problem(422, error.code, error.message)
  if (error instanceof Unreachable) return problem(502, error.code, error.message)
  if (error instanceof RecordingFailed)
    return problem(503, error.code, 'the record cannot be kept or read now; see the log of the gateway')
  return undefined
}

function deniedStatus(code: string): number {
  if (code === 'unauthenticated') return 401
  if (code === 'too-many-requests') return 429
  if (code === 'not-found' || code.startsWith('no-such-')) return 404
  if (code === 'review-over' || code === 'decided-already' || code.startsWith('session-o')) return 409
  return 403
}

export function notFound(what: string, id: string): Denied {
  return new Denied('not-found', `there is no ${what} ${id}`)
}

/** What a caller sent, in the shape asked for. Throws Malformed naming every key that is wrong. */
export function wellFormed<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues.slice(0, 10).map((issue) => `${issue.path.map(String).join('.')}: ${issue.message}`)
  throw new Malformed('client', 'bad-request', wrong.join('; '))
}
