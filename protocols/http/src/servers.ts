// The parsers of Node. They listen nowhere: the gateway hands them its connections, each with what it is known by.

import { createServer, ServerResponse } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { Http2Server, Http2ServerRequest, Http2ServerResponse, Http2Session } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { ClientConnection, Session } from '@sallyport/core'
import { Clock } from './clock.js'
import type { Connection, Shared } from './connection.js'
import { serveRequest } from './exchange.js'
import { openConnection } from './first-bytes.js'
import { keepAliveMs, maxHeaderBytes, maxHeaders, maxStreams } from './limits.js'
import { replyOf } from './message.js'
import { answer, serveConnect } from './tunnel.js'
import { serveUpgrade } from './websocket.js'

interface Known {
  readonly connection: Connection
  readonly clock: Clock
}

export class Servers {
  readonly #shared: Shared
  readonly #one: Server
  readonly #two: Http2Server
  readonly #sockets = new WeakMap<Duplex, Known>()
  readonly #sessions = new WeakMap<Http2Session, Known>()

  constructor(shared: Shared) {
    this.#shared = shared
    this.#one = this.#http1()
    this.#two = this.#http2()
  }

  /** The life of one connection. */
  async serve(client: ClientConnection, connection: Connection): Promise<void> {
    const opened = await openConnection(client, connection, this.#shared)
    if (opened === undefined) return
    const { stream, version } = opened
    const clock = new Clock(stream, connection.gate.limits.loginMs, keepAliveMs)
    const known = { connection: { ...opened.connection, joined: closingWith(clock, stream) }, clock }
    const over = new Promise<void>((resolve) => {
      if (stream.destroyed) resolve()
      else stream.once('close', () => resolve())
    })
    if (version === 1) {
      this.#sockets.set(stream, known)
      this.#one.emit('connection', stream)
    } else {
      this.#two.once('session', (session) => this.#sessions.set(session, known))
      this.#two.emit('connection', stream)
    }
    await over
  }

  #http1(): Server {
    const limits = { maxHeaderSize: maxHeaderBytes, keepAliveTimeout: keepAliveMs, requestTimeout: 0, headersTimeout: 0 }
    const server = createServer({ ...limits, insecureHTTPParser: false, requireHostHeader: true })
    server.maxHeadersCount = maxHeaders
    server.timeout = 0
    server.on('request', (request, response) => this.#take(request, response, false))
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => this.#take(request, response, true))
    server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) =>
      response.writeHead(417, { 'content-length': '0' }).end(),
    )
    server.on('clientError', (error: Error & { readonly code?: string }, socket) => malformed(error, socket))
    server.on('connect', (request, socket, head) => this.#connect(request, socket, head))
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    return server
  }

  #http2(): Http2Server {
    const settings = { maxConcurrentStreams: maxStreams, maxHeaderListSize: maxHeaderBytes, enablePush: false }
    const server = createHttp2Server({ maxHeaderListPairs: maxHeaders, settings })
    const take = (request: Http2ServerRequest, response: Http2ServerResponse, waits: boolean): void => {
      const session = request.stream.session
      const known = session === undefined ? undefined : this.#sessions.get(session)
      if (known === undefined) return request.stream.close()
      known.clock.begin(response)
      request.on('error', () => {})
      response.on('error', () => {})
      void serveRequest(request, replyOf(response), known.connection, this.#shared, () => {
        if (waits && !response.headersSent) response.writeContinue()
      })
    }
    server.on('request', (request, response) => take(request, response, false))
    server.on('checkContinue', (request, response) => take(request, response, true))
    server.on('sessionError', () => {})
    return server
  }

  #take(request: IncomingMessage, response: ServerResponse, waits: boolean): void {
    const known = this.#sockets.get(request.socket)
    if (known === undefined) {
      request.socket.destroy()
      return
    }
    known.clock.begin(response)
    request.on('error', () => {})
    response.on('error', () => {})
    void serveRequest(request, replyOf(response), known.connection, this.#shared, () => {
      if (waits && !response.headersSent) response.writeContinue()
    })
  }

  #connect(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const known = this.#sockets.get(socket)
    if (known === undefined) {
      socket.destroy()
      return
    }
    known.clock.stop()
    void serveConnect(request, socket, head, known.connection, this.#shared, (client, connection) => this.serve(client, connection))
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const known = this.#sockets.get(socket)
    if (known === undefined) {
      socket.destroy()
      return
    }
    if (request.headers.upgrade?.toLowerCase() === 'websocket') {
      known.clock.stop()
      void serveUpgrade(request, socket, head, known.connection, this.#shared)
      return
    }
    // Any other upgrade is not taken, and the request is served as if it had not asked (RFC 9110, section 7.8).
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) {
      answer(socket, {
        status: 501,
        title: 'Not taken',
        detail: 'a request with a body cannot ask for an upgrade',
        code: 'upgrade',
      })
      return
    }
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket as Socket)
    response.once('finish', () => socket.end())
    // Node stopped looking after this socket when the upgrade was asked for.
    Object.defineProperty(response, 'writableNeedDrain', { get: () => socket.writableNeedDrain })
    socket.on('drain', () => response.emit('drain'))
    socket.once('close', () => {
      response.destroyed = true
      response.emit('close')
    })
    socket.on('error', () => {})
    this.#take(request, response, false)
  }
}

/** A connection at rest ends with a session it asked for. */
function closingWith(clock: Clock, stream: Duplex): Connection['joined'] {
  const joined = new WeakSet<Session>()
  // A session outlives its connections: they must not stay with it.
  const closed = new AbortController()
  stream.once('close', () => closed.abort())
  return (session) => {
    if (joined.has(session)) return
    joined.add(session)
    session.signal.addEventListener('abort', () => clock.closeIfQuiet(), { once: true, signal: closed.signal })
  }
}

const statusByCode: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

/** What the parser refuses is answered once and the connection closed: nothing after it can be told apart (RFC 9112, section 11.2). */
function malformed(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status = statusByCode[error.code ?? ''] ?? 400
  answer(socket, { status, title: 'Malformed request', detail: 'the request is not valid HTTP', code: 'malformed' })
}
