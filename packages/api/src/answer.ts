// Answers that come line by line, and what becomes of them where something fails or the client goes.

import type { FastifyReply } from 'fastify'
import type { ApiParts } from './ports.js'
import { problem, problemOf } from './problem.js'

export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return gone.signal
}

/** The status has been sent when a line fails: the failure is a last line of its own, which no good line looks like. */
export async function* asLines(
  values: AsyncIterable<unknown>,
  signal: AbortSignal,
  parts: Pick<ApiParts, 'log'>,
  still: () => Promise<void> = async () => {},
): AsyncGenerator<string> {
  try {
    for await (const value of values) {
      await still()
      yield `${JSON.stringify(value)}\n`
    }
  } catch (error) {
    if (signal.aborted) return
    const known = problemOf(error)
    if (known === undefined) parts.log('error', 'an answer broke off', { stack: stackOf(error) })
    yield `${JSON.stringify({ problem: known ?? problem(500, 'internal', 'the answer broke off; see the log of the gateway') })}\n`
  }
}

export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
