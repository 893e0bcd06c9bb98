// What an endpoint is: where it is, who may call it, what it takes, what it answers. The server adds all else to each alike.

import { z } from 'zod'
import type { Caller } from './caller.js'
import type { ApiParts } from './ports.js'
import { wellFormed } from './problem.js'

/** An answer that comes piece by piece, one JSON value a line. */
export interface Lines {
  readonly lines: AsyncIterable<unknown>
}

interface Circumstances {
  readonly caller: Caller
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal
}

interface Given {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
}

interface Place {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  /** `proved`: every caller who proved who they are; the route narrows what they see to what is theirs. */
  readonly may: 'admin' | 'operator' | 'proved'
  readonly bodyLimitBytes?: number
}

export interface Route extends Place {
  readonly answer: (given: Given, circumstances: Circumstances, parts: ApiParts) => Promise<unknown>
}

/** For a route that takes nothing. */
export const nothing = z.object({})

/** A route whose handler meets only what its schema (of `params`, `query` and `body`) lets through. */
export function route<I extends object>(
  definition: Place & {
    readonly input: z.ZodType<I>
    readonly answer: (call: I & Circumstances, parts: ApiParts) => Promise<unknown>
  },
): Route {
  const { input, answer, ...place } = definition
  return {
    ...place,
    answer: (given, circumstances, parts) => answer({ ...wellFormed(input, given), ...circumstances }, parts),
  }
}

export function isLines(answer: unknown): answer is Lines {
  return typeof answer === 'object' && answer !== null && 'lines' in answer && Symbol.asyncIterator in Object(answer.lines)
}
