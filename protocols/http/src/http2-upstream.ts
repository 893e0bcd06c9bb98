// HTTP/2 to a target: a few connections for each session, opened as its requests need them. Its answers go the same way as those of HTTP/1.1.

import { connect, constants } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { Unreachable } from '@sallyport/core'
import type { Session } from '@sallyport/core'
import { addressOf } from './addresses.js'
import type { Answering } from './answer.js'
import type { StoredCredential } from './credential.js'
import { Http2Exchange } from './http2-exchange.js'
import { maxHeaderBytes, maxHttp2Connections, usualStreams } from './limits.js'
import { connectTo } from './connecting.js'
import { badRequest } from './refusal.js'
import type { Sending } from './sending.js'

/** A quiet connection; below the 75 s after which nginx closes it. */
const idleMs = 60_000
/** RFC 9113, section 3.4: they are the first frame. */
const settingsWithinMs = 10_000
/** For what an answer may send ahead of its reader: Node's 64 kB hold a fast target up. */
const windowBytes = 1024 * 1024

interface Load {
  streams: number
}

interface Place {
  readonly connection: ClientHttp2Session
  readonly load: Load
}

export class Http2Upstream {
  readonly #session: Session
  readonly #stored: StoredCredential
  readonly #notSpoken: () => void
  readonly #open = new Map<ClientHttp2Session, Load>()
  #opening: Promise<ClientHttp2Session> | undefined
  #closed = false

  /** `notSpoken`: told when the target turned out not to speak it. */
  constructor(session: Session, stored: StoredCredential, notSpoken: () => void) {
    this.#session = session
    this.#stored = stored
    this.#notSpoken = notSpoken
  }

  close(): void {
    this.#closed = true
    // With an error, so that an upload that is under way is not taken for a whole one.
    for (const connection of this.#open.keys()) connection.destroy(new Error('the session is over'), constants.NGHTTP2_CANCEL)
  }

  /** Told to `answering`, also where it fails. */
  send(sending: Sending, answering: Answering): void {
    this.#send(sending, answering, true).catch((error: unknown) => answering.failed(error))
  }

  /** A connection on which HTTP/2 was agreed already. */
  async adopt(socket: Socket): Promise<ClientHttp2Session> {
    const connection = connect(addressOf(this.#session.target).origin, {
      createConnection: () => socket,
      settings: { enablePush: false, maxHeaderListSize: maxHeaderBytes, initialWindowSize: windowBytes },
    })
    // Each stream hears of it too.
    connection.on('error', () => {})
    connection.once('connect', () => connection.setLocalWindowSize(windowBytes))
    connection.once('close', () => this.#open.delete(connection))
    connection.setTimeout(idleMs, () => {
      if (this.#open.get(connection)?.streams === 0) connection.close()
    })
    if (this.#closed) connection.destroy()
    // How much it may be asked at once is the first thing it says; what is over that it would refuse.
    await settingsOf(connection, this.#session.target.name)
    if (!connection.destroyed) this.#open.set(connection, { streams: 0 })
    return connection
  }

  /** `mayRepeat`: a request that the target refused unread is sent once more (RFC 9113, section 8.7). */
  async #send(sending: Sending, answering: Answering, mayRepeat: boolean): Promise<void> {
    const { connection, load } = await this.#taken()
    let outcome: 'over' | Error
    try {
      outcome = await new Http2Exchange(connection, addressOf(this.#session.target), sending, answering).done
    } catch (error) {
      // It was not sent at all.
      if (!mayRepeat || !isClosing(error)) throw sayable(error)
      return await this.#send(sending, answering, false)
    } finally {
      load.streams -= 1
    }
    if (outcome === 'over') return
    if (mayRepeat && (sending.body === undefined || Buffer.isBuffer(sending.body)))
      return await this.#send(sending, answering, false)
    answering.failed(outcome)
  }

  /**
   * A place on a connection with room, else on a new one, else on the least busy: Node keeps what is over the target's limit until there
   * is room.
   */
  async #taken(): Promise<Place> {
    for (;;) {
      const found = this.#leastBusy()
      if (found !== undefined && (found.room || this.#open.size >= maxHttp2Connections)) return take(found)
      this.#opening ??= this.#connect().finally(() => (this.#opening = undefined))
      try {
        await this.#opening
      } catch (error) {
        const left = this.#leastBusy()
        if (left === undefined) throw error
        return take(left)
      }
    }
  }

  #leastBusy(): (Place & { readonly room: boolean }) | undefined {
    let best: Place | undefined
    for (const [connection, load] of this.#open) {
      if (connection.closed || connection.destroyed) continue
      if (best === undefined || load.streams < best.load.streams) best = { connection, load }
    }
    if (best === undefined) return undefined
    return { ...best, room: best.load.streams < (best.connection.remoteSettings.maxConcurrentStreams ?? usualStreams) }
  }

  async #connect(): Promise<ClientHttp2Session> {
    const { target } = this.#session
    const socket = await connectTo(this.#session, this.#stored, ['h2'])
    if (target.address.startsWith('https:') && (socket as { alpnProtocol?: unknown }).alpnProtocol !== 'h2') {
      socket.destroy()
      this.#notSpoken()
      throw new Unreachable('no-http2', `target ${target.name} does not speak HTTP/2`)
    }
    return await this.adopt(socket)
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

/** The connection was closed between its choice and its use. */
function isClosing(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ERR_HTTP2_INVALID_SESSION' || code === 'ERR_HTTP2_GOAWAY_SESSION'
}

/** Node sends some fields no more than once. */
function sayable(error: unknown): unknown {
  return codeOf(error) === 'ERR_HTTP2_HEADER_SINGLE_VALUE'
    ? badRequest('repeated-field', 'the request has a field twice that may stand once')
    : error
}

function take(place: Place): Place {
  place.load.streams += 1
  return place
}

function settingsOf(connection: ClientHttp2Session, target: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => (): void => {
      clearTimeout(late)
      connection.off('remoteSettings', told).off('close', gone)
      act()
    }
    const told = settle(resolve)
    const gone = settle(() => reject(new Unreachable('target-failed', `target ${target} broke HTTP/2 off at its start`)))
    const late = setTimeout(() => connection.destroy(), settingsWithinMs)
    connection.on('remoteSettings', told).on('close', gone)
  })
}
