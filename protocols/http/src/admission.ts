// Where to, who, and whether they may be there at all: the same for a request, a tunnel and a WebSocket.

import type { ClientFacts } from '@sallyport/core'
import { addressOf } from './addresses.js'
import type { Connection, Shared } from './connection.js'
import { holdsToken } from './headers.js'
import { allOf } from './message.js'
import type { Fields, Request } from './message.js'
import { badRequest, Refused, unauthenticated } from './refusal.js'
import { routeOf, shownBy } from './routing.js'
import type { Route, Shown } from './routing.js'
import type { Place } from './sessions.js'

export interface Admitted {
  readonly route: Route
  readonly shown: Shown
  readonly place: Place
}

/** `asProxy`: the caller takes us for its proxy. Throws what refuses it. */
export async function admitted(
  request: Request,
  fields: Fields,
  connection: Connection,
  shared: Shared,
  asProxy: boolean,
): Promise<Admitted> {
  refuseSmuggled(fields)
  const route = routeOf(request, fields, connection.facts.tls, shared.targets, connection.fixed?.target)
  const shown = connection.fixed?.shown ?? shownBy(fields)
  if (shown === undefined) {
    throw new Refused(unauthenticated('show an access token: Authorization: Bearer TOKEN, or Sallyport-Token', asProxy))
  }
  if (holdsToken(route.path, shown.token))
    throw badRequest('token-in-path', 'an access token must not stand in the path or the query')
  const place = await shared.sessions.enter(shown, route.target, connection.facts, connection.gate)
  connection.joined(place.session)
  if (addressOf(place.session.target).many)
    throw badRequest('only-tunnels', 'this target stands for many hosts; name one with CONNECT, as a proxy is asked', 404)
  return { route, shown, place }
}

/** Of the caller, without the port. */
export function hostOf({ address }: ClientFacts): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}

/** Node's parser refuses most of these by itself; a second look costs nothing and does not depend on its settings (RFC 9112, section 6). */
function refuseSmuggled(fields: Fields): void {
  const lengths = allOf(fields, 'content-length')
  const codings = allOf(fields, 'transfer-encoding')
  // Where a message ends cannot be told, so nothing after it may be taken for another.
  const closing = (code: string, detail: string, status: number): Refused => {
    const { problem } = badRequest(code, detail, status)
    return new Refused({ ...problem, headers: { connection: 'close' } })
  }
  if (lengths.length > 1 || (lengths[0] !== undefined && !/^\d{1,15}$/.test(lengths[0]))) {
    throw closing('bad-length', 'the request has no single length', 400)
  }
  if (codings.length > 0 && lengths.length > 0)
    throw closing('two-lengths', 'the request has both a length and a transfer coding', 400)
  if (codings.length > 1 || (codings[0] !== undefined && codings[0].trim().toLowerCase() !== 'chunked')) {
    throw closing('bad-coding', 'chunked is the only transfer coding that is taken', 501)
  }
}
