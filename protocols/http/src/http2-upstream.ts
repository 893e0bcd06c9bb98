// HTTP/2 to a target, for gRPC: one connection for each session, opened at its first use and again where it broke. Its answers go the same
// way as those of HTTP/1.1.

import { connect, constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { Unreachable } from '@sallyport/core'
import type { Session } from '@sallyport/core'
import type { Dispatcher } from 'undici'
import type { Answering } from './answer.js'
import type { StoredCredential } from './credential.js'
import { maxHeaderBytes } from './limits.js'
import { connectTo } from './upstream.js'

export interface Http2Request {
  readonly method: string
  readonly path: string
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly body: AsyncIterable<Buffer>
}

export class Http2Upstream {
  readonly #session: Session
  readonly #stored: StoredCredential
  #connection: Promise<ClientHttp2Session> | undefined

  constructor(session: Session, stored: StoredCredential) {
    this.#session = session
    this.#stored = stored
  }

  close(): void {
    void this.#connection?.then((connection) => connection.destroy()).catch(() => {})
  }

  /** Told to `answering`, also where it fails. */
  async send(request: Http2Request, answering: Answering): Promise<void> {
    try {
      const connection = await this.#connected()
      const stream = connection.request(this.#fields(request), { endStream: false })
      listen(stream, answering)
      for await (const chunk of request.body) {
        if (stream.destroyed || stream.writableEnded) break
        if (!stream.write(chunk)) await drained(stream)
      }
      if (!stream.destroyed) stream.end()
    } catch (error) {
      answering.failed(error)
    }
  }

  #fields({ method, path, headers }: Http2Request): Record<string, string | string[]> {
    const { host, protocol } = new URL(this.#session.target.address)
    const fields: Record<string, string | string[]> = {
      ':method': method,
      ':path': path,
      ':scheme': protocol.slice(0, -1),
      ':authority': host,
    }
    for (let index = 0; index + 1 < headers.length; index += 2) {
      const name = headers[index] as string
      const known = fields[name]
      if (name === 'host') continue
      fields[name] = known === undefined ? (headers[index + 1] as string) : [known, headers[index + 1] as string].flat()
    }
    return fields
  }

  async #connected(): Promise<ClientHttp2Session> {
    const known = await this.#connection?.catch(() => undefined)
    if (known !== undefined && !known.closed && !known.destroyed) return known
    const opening = this.#open()
    this.#connection = opening
    opening.catch(() => (this.#connection = undefined))
    return opening
  }

  async #open(): Promise<ClientHttp2Session> {
    const { target } = this.#session
    const socket = await connectTo(this.#session, this.#stored, ['h2'])
    if (target.address.startsWith('https:') && (socket as { alpnProtocol?: unknown }).alpnProtocol !== 'h2') {
      socket.destroy()
      throw new Unreachable('no-http2', `target ${target.name} does not speak HTTP/2`)
    }
    const connection = connect(new URL(target.address).origin, {
      createConnection: () => socket,
      settings: { enablePush: false, maxHeaderListSize: maxHeaderBytes },
    })
    // Each stream hears of it too.
    connection.on('error', () => {})
    return connection
  }
}

const ofTheEnd = new Set(['grpc-status', 'grpc-message', 'grpc-status-details-bin'])

function listen(stream: ClientHttp2Stream, answering: Answering): void {
  let trailers: Record<string, string> = {}
  const controller: Dispatcher.DispatchController = {
    get aborted() {
      return stream.aborted
    },
    get paused() {
      return stream.isPaused()
    },
    get reason() {
      return null
    },
    rawHeaders: [],
    abort: () => stream.close(constants.NGHTTP2_CANCEL),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  }
  answering.onRequestStart(controller)
  stream.on('response', (fields) => {
    const said = Object.entries(fields).flatMap(([name, value]) =>
      name.startsWith(':') ? [] : [value].flat().map((each) => [name, String(each)] as const),
    )
    // An answer of trailers alone has its status among its fields; with a body of no bytes it means the same.
    trailers = Object.fromEntries(said.filter(([name]) => ofTheEnd.has(name)))
    controller.rawHeaders = said
      .filter(([name]) => !ofTheEnd.has(name))
      .flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value, 'latin1')])
    answering.onResponseStart(controller, Number(fields[':status']))
  })
  stream.on('data', (chunk: Buffer) => answering.onResponseData(controller, chunk))
  stream.on('trailers', (fields) => {
    trailers = Object.fromEntries(
      Object.entries(fields).flatMap(([name, value]) => (name.startsWith(':') ? [] : [[name, String(value)]])),
    )
  })
  stream.on('end', () => answering.onResponseEnd(controller, trailers))
  stream.on('error', (error) => answering.onResponseError(controller, error))
  stream.on('close', () => {
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR)
      answering.onResponseError(controller, new Error(`reset with ${stream.rstCode ?? 0}`))
  })
}

function drained(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stream.off('drain', go).off('close', go)
      resolve()
    }
    stream.on('drain', go).on('close', go)
  })
}
