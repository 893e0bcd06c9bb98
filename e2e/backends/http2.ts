// A backend that speaks HTTP/2: says what it was asked, and plays what the path asks of it.

import { createSecureServer, createServer } from 'node:http2'
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'

export interface Http2Backend {
  readonly port: number
  /** Connections so far. */
  readonly connections: () => number
  /** Connections that are open now. */
  readonly open: ReadonlySet<ServerHttp2Session>
  readonly asked: readonly string[]
  /** Paths of uploads that came to their end. */
  readonly whole: readonly string[]
  /** Of the long answers. */
  readonly sentBytes: () => number
  close(): Promise<void>
}

export interface Http2BackendOptions {
  /** PEM; absent: in clear. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly alsoHttp1?: boolean }
  readonly maxConcurrentStreams?: number
}

export async function startHttp2Backend(options: Http2BackendOptions = {}): Promise<Http2Backend> {
  const settings = { maxConcurrentStreams: options.maxConcurrentStreams ?? 100 }
  const server: Http2Server =
    options.tls === undefined
      ? createServer({ settings })
      : createSecureServer({ settings, ...options.tls, allowHTTP1: options.tls.alsoHttp1 ?? false })
  const open = new Set<ServerHttp2Session>()
  const asked: string[] = []
  const whole: string[] = []
  const refused = new Set<string>()
  let connections = 0
  let sentBytes = 0
  server.on('session', (session) => {
    connections += 1
    open.add(session)
    session.on('error', () => {})
    session.on('close', () => open.delete(session))
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    asked.push(`${headers[':method'] ?? ''} ${headers[':path'] ?? ''}`)
    stream.on('end', () => whole.push(headers[':path'] ?? ''))
    if (headers[':path'] !== '/long') return play(stream, headers, refused)
    stream.respond({ ':status': 200 })
    Readable.from(pieces((bytes) => (sentBytes += bytes))).pipe(stream)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    open,
    asked,
    whole,
    sentBytes: () => sentBytes,
    close: async () => {
      for (const session of open) session.destroy()
      await new Promise<void>((done) => server.close(() => done()))
    },
  }
}

/** 64 MiB. */
function* pieces(sent: (bytes: number) => void): Generator<Buffer> {
  for (let n = 0; n < 1024; n += 1) {
    sent(65_536)
    yield Buffer.alloc(65_536, 'x')
  }
}

function play(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, refused: Set<string>): void {
  const path = headers[':path'] ?? ''
  // Refused unread, the first time only.
  if (path.startsWith('/refuse') && !refused.has(path)) {
    refused.add(path)
    return stream.close(7)
  }
  if (path === '/reset') return stream.close(2)
  if (path === '/half') {
    stream.respond({ ':status': 200, 'content-length': '100' })
    stream.write('half')
    setTimeout(() => stream.close(2), 50)
    return
  }
  // Reset with NO_ERROR, and no length said how much was to come.
  if (path === '/destroyed') {
    stream.respond({ ':status': 200 })
    stream.write('half')
    setTimeout(() => stream.destroy(), 50)
    return
  }
  if (path === '/early') {
    stream.respond({ ':status': 413, 'content-type': 'text/plain' })
    stream.end('too long')
    return
  }
  if (path === '/slow') {
    setTimeout(() => {
      stream.respond({ ':status': 200 })
      stream.end('slow')
    }, 200)
    return
  }
  let size = 0
  const chunks: Buffer[] = []
  let trailers: Record<string, unknown> = {}
  stream.on('trailers', (fields) => (trailers = { ...fields }))
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size < 10_000) chunks.push(chunk)
  })
  stream.on('end', () => {
    const body = Buffer.concat(chunks).toString()
    stream.respond({ ':status': 200, 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }))
    stream.end(JSON.stringify({ version: '2.0', url: path, headers, body, size, trailers }))
  })
}
