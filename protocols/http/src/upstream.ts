// The way to a target: connections of its own for each session, so that ending the session cuts them, kept alive between requests. HTTP/2
// where the target speaks it, else HTTP/1.1.

import type { Socket } from 'node:net'
import { Pool } from 'undici'
import type { Session } from '@sallyport/core'
import { addressOf } from './addresses.js'
import type { Answering } from './answer.js'
import { connectTo } from './connecting.js'
import type { StoredCredential } from './credential.js'
import { Http2Upstream } from './http2-upstream.js'
import { answerWithinMs, maxHeaderBytes, maxUpstreamConnections } from './limits.js'
import { sendWithTrailers } from './request-trailers.js'
import type { Sending } from './sending.js'

/** Below the 5 s after which Node's own servers, among others, close a quiet connection. */
const idleUpstreamMs = 4_000

export class Upstream {
  readonly #session: Session
  readonly #stored: StoredCredential
  readonly #pool: Pool
  readonly #http2: Http2Upstream
  /** Undefined: the first connection will tell. */
  #version: 1 | 2 | undefined
  #asking: Promise<1 | 2> | undefined
  /** That first connection, where it turned out to speak HTTP/1.1. */
  #spare: Socket | undefined

  constructor(session: Session, stored: StoredCredential) {
    this.#session = session
    this.#stored = stored
    this.#pool = this.#openPool()
    this.#http2 = new Http2Upstream(session, stored, () => this.#forget())
    this.#version = this.#told()
  }

  close(): void {
    this.#spare?.destroy()
    this.#pool.destroy().catch(() => {})
    this.#http2.close()
  }

  /** Told to `answering`, also where it fails. */
  send(sending: Sending, answering: Answering): void {
    const version = sending.grpc ? 2 : this.#version
    if (version !== undefined) return this.#sendBy(version, sending, answering)
    this.#asking ??= this.#ask()
    this.#asking.then(
      (found) => this.#sendBy(found, sending, answering),
      (error: unknown) => answering.failed(error),
    )
  }

  #sendBy(version: 1 | 2, sending: Sending, answering: Answering): void {
    if (version === 2) return this.#http2.send(sending, answering)
    if (sending.expectsTrailers) return void sendWithTrailers(this.#session, this.#stored, sending, answering)
    this.#pool.dispatch(
      {
        method: sending.method as 'GET',
        path: sending.path,
        headers: [...sending.headers],
        body: sending.body ?? null,
        // A caller's request is sent once: whether it may be repeated is the caller's to say.
        idempotent: false,
        blocking: false,
      } as Parameters<Pool['dispatch']>[0],
      answering,
    )
  }

  /** What the configuration says; in clear HTTP/2 cannot be asked for, only known (RFC 9113, section 3.3). */
  #told(): 1 | 2 | undefined {
    const { http, address } = this.#session.target
    if (http?.http2 === 'always') return 2
    return http?.http2 === 'never' || !address.startsWith('https:') ? 1 : undefined
  }

  async #ask(): Promise<1 | 2> {
    try {
      const socket = await connectTo(this.#session, this.#stored, ['h2', 'http/1.1'])
      if ((socket as { alpnProtocol?: unknown }).alpnProtocol === 'h2') {
        await this.#http2.adopt(socket)
        return (this.#version = 2)
      }
      socket.on('error', () => {})
      this.#spare = socket
      return (this.#version = 1)
    } finally {
      this.#asking = undefined
    }
  }

  /** The target no longer speaks HTTP/2: the next request asks again. */
  #forget(): void {
    this.#version = this.#told()
  }

  #openPool(): Pool {
    return new Pool(addressOf(this.#session.target).origin, {
      connections: maxUpstreamConnections,
      pipelining: 1,
      headersTimeout: answerWithinMs,
      bodyTimeout: 0,
      keepAliveTimeout: idleUpstreamMs,
      keepAliveMaxTimeout: 60_000,
      maxHeaderSize: maxHeaderBytes,
      connect: (_options, done) => {
        this.#connection().then(
          (socket) => done(null, socket),
          (error: unknown) => done(error instanceof Error ? error : new Error(String(error)), null),
        )
      },
    })
  }

  async #connection(): Promise<Socket> {
    const spare = this.#spare
    this.#spare = undefined
    return spare !== undefined && !spare.destroyed && spare.readable ? spare : await connectTo(this.#session, this.#stored)
  }
}
