// CONNECT (RFC 9110, section 9.3.6): a tunnel to a target we know ends here, so that what goes through it is judged like any other request.
// What no target stands for is not passed on.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Connection, Shared } from './connection.js'
import { fieldsOf } from './message.js'
import { problemOf, Refused, render, unauthenticated } from './refusal.js'
import type { Problem } from './refusal.js'
import { shownBy, targetAt, unknownHost } from './routing.js'

type Serve = (client: { readonly stream: Duplex; readonly facts: Connection['facts'] }, connection: Connection) => Promise<void>

export async function serveConnect(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  connection: Connection,
  shared: Shared,
  serve: Serve,
): Promise<void> {
  socket.on('error', () => {})
  try {
    const fields = fieldsOf(request)
    const shown = shownBy(fields)
    if (shown === undefined)
      throw new Refused(
        unauthenticated('show an access token: Proxy-Authorization, or http://IDENTITY:TOKEN@gateway as the proxy', true),
      )
    const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(request.url ?? '') ?? []
    const target = connection.fixed === undefined ? targetAt(shared.targets, host, Number(port)) : undefined
    if (target === undefined) throw unknownHost(request.url ?? '')
    // Who it is and whether the target is granted is known before anything goes through.
    await shared.sessions.enter(shown, target.name, connection.facts, connection.gate)
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    if (head.length > 0) socket.unshift(head)
    await serve({ stream: socket, facts: connection.facts }, { ...connection, fixed: { target, shown } })
  } catch (error) {
    const problem = problemOf(error, true)
    if (problem.status === 500)
      connection.gate.log('error', 'bug: a tunnel failed in an unexpected way', {
        stack: error instanceof Error ? error.stack : String(error),
      })
    answer(socket, problem)
  }
}

/** On a connection that no server of Node answers any more. */
export function answer(socket: Duplex, problem: Problem): void {
  const { headers, body } = render(problem)
  const lines = [
    `HTTP/1.1 ${problem.status} ${problem.title.replaceAll(/[^ -~]/g, '')}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
  ]
  if (socket.writable) socket.end(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]))
  setTimeout(() => socket.destroy(), 1_000).unref()
}
