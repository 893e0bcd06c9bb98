// Cancel requests arrive on connections of their own. Each session's key is ours; the target's is never shown. The process id is the
// real one, since clients compare it with what the server tells them (LISTEN, pg_backend_pid).

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Body, int32 } from './messages.js'
import { codes } from './startup.js'
import type { Reached } from './upstream.js'

/** How long a cancel connection to the target may take; libpq itself waits without limit, we hold statements meanwhile. */
const cancelMs = 5_000

export interface CancelKey {
  readonly processId: number
  readonly secret: Buffer
}

/** `packet`: length, code, process id, secret of 4 to 256 bytes (protocol 3.2). */
export function readCancel(packet: Buffer): CancelKey {
  const body = new Body(packet, 'client', 8)
  const processId = body.int32()
  return { processId, secret: body.bytes(body.left) }
}

/** Who may be cancelled by which key. */
export class CancelKeys {
  readonly #live = new Map<number, Map<Buffer, () => void>>()

  /** `minor`: 3.2 clients take long keys, older ones exactly 4 bytes. */
  issue(processId: number, minor: number, cancel: () => void): { readonly key: CancelKey; readonly retire: () => void } {
    const secret = randomBytes(minor >= 2 ? 32 : 4)
    const ofProcess = this.#live.get(processId) ?? new Map<Buffer, () => void>()
    this.#live.set(processId, ofProcess.set(secret, cancel))
    const retire = (): void => {
      ofProcess.delete(secret)
      if (ofProcess.size === 0) this.#live.delete(processId)
    }
    return { key: { processId, secret }, retire }
  }

  /** A wrong key does nothing and says nothing, as the server does. */
  cancel(key: CancelKey): boolean {
    for (const [secret, cancel] of this.#live.get(key.processId) ?? []) {
      if (secret.length !== key.secret.length || !timingSafeEqual(secret, key.secret)) continue
      cancel()
      return true
    }
    return false
  }
}

/** Sends a cancel request the way the session itself was connected; resolves when the target has closed it, that is, acted on it. */
export function sendCancel(reached: Reached, key: CancelKey): Promise<void> {
  const packet = Buffer.concat([int32(12 + key.secret.length), int32(codes.cancel), int32(key.processId), key.secret])
  packet.writeInt32BE(packet.length, 0)
  return new Promise((resolve) => {
    const socket = connect({ host: reached.host, port: reached.port, noDelay: true })
    const done = (): void => {
      clearTimeout(late)
      socket.destroy()
      resolve()
    }
    const late = setTimeout(done, cancelMs)
    socket.once('error', done).once('close', done)
    socket.once('connect', () => speak(socket, reached, packet, done))
  })
}

function speak(socket: Socket, reached: Reached, packet: Buffer, done: () => void): void {
  if (reached.tls === undefined) {
    socket.write(packet)
    socket.once('end', done).resume()
    return
  }
  const options = reached.tls
  socket.write(Buffer.concat([int32(8), int32(codes.tls)]))
  socket.once('data', (answer: Buffer) => {
    if (answer.toString('latin1') !== 'S') return done()
    const secured = connectTls({ ...options, socket })
    secured.once('error', done).once('end', done).resume()
    secured.once('secureConnect', () => secured.write(packet))
  })
}
