// gRPC over HTTP/2: its calls are told by their path, and a refusal is a status that its clients understand.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md

import { field } from './message.js'
import type { Fields, Reply } from './message.js'
import { refuse } from './refusal.js'
import type { Problem } from './refusal.js'

export function isGrpc(fields: Fields): boolean {
  return /^application\/grpc(?:[+;]|$)/i.test(field(fields, 'content-type') ?? '')
}

/** PERMISSION_DENIED where nothing else is said. */
const statusOf: Readonly<Record<number, number>> = { 400: 3, 401: 16, 404: 12, 408: 4, 501: 12, 500: 13, 502: 14, 503: 14, 504: 4 }

/** In the caller's own protocol. */
export function refuseIn(fields: Fields, reply: Reply, problem: Problem, headOnly: boolean): void {
  if (reply.headersSent || !isGrpc(fields)) return refuse(reply, problem, headOnly)
  const hint = problem.more?.['hint']
  const message = typeof hint === 'string' ? `${problem.detail} ${hint}` : problem.detail
  const status = String(statusOf[problem.status] ?? 7)
  reply.writeHead(200, { 'content-type': 'application/grpc' })
  reply.addTrailers({ 'grpc-status': status, 'grpc-message': message.replaceAll(/%|[^ -~]+/g, encodeURIComponent) })
  reply.end()
}
