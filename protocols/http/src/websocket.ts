// WebSocket (RFC 6455): the handshake is a request like any other; then whole messages are relayed both ways and recorded, and each text
// message of the caller that is JSON is a statement of its own. Masks cover the target's text messages. Frames are ws's; extensions are not offered.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { isKnownError } from '@sallyport/core'
import { WebSocket, WebSocketServer } from 'ws'
import type { Connection, Shared } from './connection.js'
import { addressOf } from './addresses.js'
import { admitted, hostOf } from './admission.js'
import type { Admitted } from './admission.js'
import { decide } from './deciding.js'
import type { Deciding } from './deciding.js'
import { forTarget, holdsToken, without } from './headers.js'
import { maxMessageBytes } from './limits.js'
import { allOf, fieldsOf } from './message.js'
import { ExchangeRecord, recordable } from './record.js'
import { badRequest, problemOf, problemOfDenial } from './refusal.js'
import { answer } from './tunnel.js'
import { understand } from './understand.js'
import { connectTo } from './connecting.js'
import { Relayed } from './websocket-relay.js'

const handshakeWithinMs = 15_000
/** Fields of the handshake that are each end's own. */
const ofTheHandshake = new Set([
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'host',
])

const server = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false })

export async function serveUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  connection: Connection,
  shared: Shared,
): Promise<void> {
  const gone = new AbortController()
  socket.on('error', () => {})
  socket.once('close', () => gone.abort())
  try {
    const fields = fieldsOf(request)
    const { route, shown, place } = await admitted(request, fields, connection, shared, false)
    const done = place.begin()
    socket.once('close', done)
    if (socket.destroyed) return done()
    const exchange = { fields, method: 'GET', route, shown, place, gone: gone.signal }
    const understood = understand(place.session.target, 'GET', route.path, fields, 'absent')
    const { statement, ruling } = await decide(exchange, understood, { seen: 'absent', early: [] })
    if (ruling.kind === 'deny') return answer(socket, problemOfDenial(ruling, place.session.id, statement))
    const record = new ExchangeRecord(place.session, statement)
    record.request('GET', route.path, recordable(fields, shown))
    await place.session.settled()
    const upstream = await open(exchange, connection)
    const client = await accept(request, socket, head, upstream)
    record.response(101, {
      upgrade: 'websocket',
      ...(upstream.protocol === '' ? {} : { 'sec-websocket-protocol': upstream.protocol }),
    })
    new Relayed({
      client,
      upstream,
      exchange,
      statement,
      masks: ruling.kind === 'mask' ? ruling.masks : [],
      salt: shared.salt,
    }).start()
  } catch (error) {
    const problem = problemOf(error, false)
    if (problem.status === 500)
      connection.gate.log('error', 'bug: an upgrade failed in an unexpected way', {
        stack: error instanceof Error ? error.stack : String(error),
      })
    answer(socket, problem)
  }
}

type Asked = Admitted & Pick<Deciding, 'fields'>

/** Connects the target first, so that the caller hears which subprotocol it chose, or that it refused. */
async function open({ fields, route, shown, place }: Asked, connection: Connection): Promise<WebSocket> {
  const { session, stored } = place
  const address = addressOf(session.target)
  const path = address.base + route.path
  const own = without(forTarget(fields, route, { shown, host: hostOf(connection.facts) }, session.target), ofTheHandshake)
  const flat = await stored.applied({ method: 'GET', path, host: address.host, headers: own, body: undefined, streamed: false })
  const headers = Object.fromEntries(flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? '']] : [])))
  // Pages that cannot set headers put tokens there; the caller's own is for us alone.
  const protocols = allOf(fields, 'sec-websocket-protocol')
    .flatMap((value) => value.split(',').map((each) => each.trim()))
    .filter((each) => !holdsToken(each, shown.token))
  const stream = await connectTo(session, stored)
  const socket = new WebSocket(`ws://${address.host}${path}`, protocols, {
    headers,
    createConnection: () => stream,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handshakeTimeout: handshakeWithinMs,
    followRedirects: false,
  })
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      // Nothing may be heard before somebody listens.
      socket.pause()
      resolve(socket)
    })
    socket.once('unexpected-response', (_request, response) => {
      stream.destroy()
      reject(badRequest('not-upgraded', `the target answered ${response.statusCode ?? 0} to the WebSocket handshake`, 502))
    })
    socket.once('error', (error) => {
      stream.destroy()
      reject(isKnownError(error) ? error : badRequest('not-upgraded', 'the target did not take the WebSocket handshake', 502))
    })
  })
}

function accept(request: IncomingMessage, socket: Duplex, head: Buffer, upstream: WebSocket): Promise<WebSocket> {
  // What the target chose is the only choice.
  if (upstream.protocol === '') delete request.headers['sec-websocket-protocol']
  else request.headers['sec-websocket-protocol'] = upstream.protocol
  return new Promise((resolve, reject) => {
    socket.once('close', () => {
      upstream.terminate()
      reject(badRequest('gone', 'the caller went away'))
    })
    server.handleUpgrade(request, socket, head, (client) => {
      client.pause()
      resolve(client)
    })
  })
}
