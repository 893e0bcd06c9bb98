// A tunnel that is let through to a host no target stands for alone: judged as a whole, recorded as where it went, how much and how long.

import type { Socket } from 'node:net'
import { Transform } from 'node:stream'
import type { Duplex, TransformCallback } from 'node:stream'
import { decide } from './deciding.js'
import { maxTunnelQuietMs } from './limits.js'
import type { Fields } from './message.js'
import { ExchangeRecord, recordable } from './record.js'
import { problemOfDenial, Refused } from './refusal.js'
import type { Route, Shown } from './routing.js'
import type { Place } from './sessions.js'
import { understandTunnel } from './understand.js'

interface Tunnel {
  readonly place: Place
  readonly shown: Shown
  readonly fields: Fields
  readonly host: string
  readonly port: number
  readonly socket: Duplex
  /** What came behind the request already. */
  readonly head: Buffer
}

/** Resolves when the tunnel is over. Throws what refuses it. */
export async function passTunnel(tunnel: Tunnel): Promise<void> {
  const { place, shown, fields, host, port, socket, head } = tunnel
  const { session } = place
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const done = place.begin()
  try {
    const gone = new AbortController()
    socket.once('close', () => gone.abort())
    if (socket.destroyed) return
    const route: Route = { target: session.target.name, path: authority, prefix: '', origin: `https://${authority}`, by: 'proxy' }
    const understood = understandTunnel(host, port)
    const exchange = { place, method: 'CONNECT', route, fields, gone: gone.signal }
    const { statement, ruling, more } = await decide(exchange, understood, { seen: 'absent', early: [] })
    if (ruling.kind === 'deny') {
      const problem = problemOfDenial(ruling, session.id, statement)
      throw new Refused(more === undefined ? problem : { ...problem, headers: more })
    }
    const record = new ExchangeRecord(session, statement)
    record.request('CONNECT', authority, recordable(fields, shown))
    const beganAt = performance.now()
    const counted = { sent: 0, received: 0 }
    const ended = (error?: string): void => {
      if (place.over) return
      session.mark('tunnel', `${authority}: ${counted.sent} bytes there, ${counted.received} bytes back`, statement)
      const bytes = counted.sent + counted.received
      const outcome = { statement, rows: 0, bytes, durationMs: performance.now() - beganAt }
      session.outcome(error === undefined ? outcome : { ...outcome, error })
    }
    try {
      await session.settled()
      const { stream } = await session.dial({ host, port })
      record.response(200, {})
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      if (head.length > 0) socket.unshift(head)
      await joined(socket, stream as Socket, session.signal, counted)
      ended()
    } catch (error) {
      ended(error instanceof Error ? error.message : String(error))
      throw error
    }
  } finally {
    done()
  }
}

/** Both ways until either end is over, the session is, or nothing has passed for long. */
function joined(client: Duplex, upstream: Socket, signal: AbortSignal, counted: { sent: number; received: number }): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(quiet)
      signal.removeEventListener('abort', end)
      client.destroy()
      upstream.destroy()
      resolve()
    }
    const quiet = setTimeout(end, maxTunnelQuietMs).unref()
    const counting = (count: (bytes: number) => void): Transform =>
      new Transform({
        transform: (chunk: Buffer, _encoding, next: TransformCallback) => {
          quiet.refresh()
          count(chunk.length)
          next(null, chunk)
        },
      })
    for (const stream of [client, upstream]) {
      stream.on('error', () => {})
      stream.once('close', end)
    }
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted || client.destroyed || upstream.destroyed) return end()
    client.pipe(counting((bytes) => (counted.sent += bytes))).pipe(upstream)
    upstream.pipe(counting((bytes) => (counted.received += bytes))).pipe(client)
  })
}
