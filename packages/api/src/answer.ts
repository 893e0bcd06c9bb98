// Answers that come line by line, and what becomes of them where something fails or the client goes.

import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import type { ApiParts } from './ports.js'
import { problem, problemOf } from './problem.js'

/** What still runs for the requests of a connection. */
const running = new WeakMap<Socket, Set<AbortController>>()

/** Aborted once the answer is over or its client is gone. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  const { socket } = reply.request.raw
  const all = runningOn(socket)
  all.add(gone)
  // An answer that waits behind another of its connection (pipelining) is never told that the connection closed.
  reply.raw.once('close', () => {
    all.delete(gone)
    gone.abort()
  })
  if (socket.destroyed) gone.abort()
  return gone.signal
}

/** One listener for a connection, however many requests wait on it. */
function runningOn(socket: Socket): Set<AbortController> {
  const known = running.get(socket)
  if (known !== undefined) return known
  const all = new Set<AbortController>()
  running.set(socket, all)
  socket.once('close', () => {
    for (const gone of all) gone.abort()
    all.clear()
  })
  return all
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
