// CONNECT (RFC 9110, section 9.3.6): a tunnel to a target we know ends here, so that what goes through it is judged like any other request.
// Any other host is reached only where a target stands for many of them and a rule allows it; then the bytes pass unseen.

import { isIP } from 'node:net'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Connection, Shared } from './connection.js'
import { fieldsOf } from './message.js'
import type { Fields } from './message.js'
import { passTunnel } from './passed-tunnel.js'
import { badRequest, problemOf, Refused, render, unauthenticated } from './refusal.js'
import type { Problem } from './refusal.js'
import { shownBy, targetAt, tunnelTargetAt, unknownHost } from './routing.js'
import type { Shown } from './routing.js'

const maxReasonCharacters = 200

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
    const shown = shownInConnect(fields)
    const { host, port } = authorityOf(request.url ?? '')
    const target = connection.fixed === undefined ? targetAt(shared.targets, host, port) : undefined
    if (target === undefined) {
      const passing = connection.fixed === undefined ? tunnelTargetAt(shared.targets, host, port) : undefined
      if (passing === undefined) throw unknownHost(request.url ?? '')
      const place = await shared.sessions.enter(shown, passing.name, connection.facts, connection.gate)
      return await passTunnel({ place, shown, fields, host, port, socket, head })
    }
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

function shownInConnect(fields: Fields): Shown {
  const shown = shownBy(fields)
  if (shown !== undefined) return shown
  throw new Refused(
    unauthenticated('show an access token: Proxy-Authorization, or http://IDENTITY:TOKEN@gateway as the proxy', true),
  )
}

/** A host in the one way it can be compared: lower case, without brackets or a final point, an address as addresses are written. */
function authorityOf(written: string): { readonly host: string; readonly port: number } {
  const [, name = '', digits = ''] = /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):(\d{1,5})$/.exec(written) ?? []
  const port = Number(digits)
  if (name === '' || port < 1 || port > 65_535 || !URL.canParse(`http://${name}`)) {
    throw badRequest('bad-target', 'write CONNECT host:port')
  }
  // 0x7f.1 and 2130706433 are 127.0.0.1 to some resolvers; URL says what each means (WHATWG URL, section 3.5).
  const host = new URL(`http://${name}`).hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  return { host: isIP(host) === 0 ? host.toLowerCase() : host, port }
}

/** On a connection that no server of Node answers any more. */
export function answer(socket: Duplex, problem: Problem): void {
  const { headers, body } = render(problem)
  const lines = [
    // Of a refused CONNECT most clients show this line and nothing else.
    `HTTP/1.1 ${problem.status} ${problem.detail.replaceAll(/[^ -~]/g, '?').slice(0, maxReasonCharacters)}`,
    ...Object.entries(headers).flatMap(([name, value]) => [value].flat().map((each) => `${name}: ${each}`)),
    'connection: close',
  ]
  if (socket.writable) socket.end(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]))
  setTimeout(() => socket.destroy(), 1_000).unref()
}
