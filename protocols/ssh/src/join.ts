// Two channels joined: whatever comes on one goes out on the other, and what was taken is passed on, however slow its reader is.

import type { Duplex } from 'node:stream'
import type { Served } from './served.js'

export interface Passed {
  readonly toClientBytes: number
  readonly toTargetBytes: number
}

/** A channel of the library: its `close` and `eof` go out at once, past what still waits for the window. Its `end` closes a client's channel. */
type Channel = Duplex & { close(): void; eof(): void }

/** How long an end that nobody reads may keep what was sent to it. */
const lingerMs = 30_000

/** Both ways until both are over; an end of one way leaves the other open. The bytes of a tunnel are not read and not recorded. */
export function join(client: Channel, target: Channel, served: Served): Promise<Passed> {
  let toClientBytes = 0
  let toTargetBytes = 0
  target.on('data', (bytes: Buffer) => (toClientBytes += bytes.length))
  client.on('data', (bytes: Buffer) => (toTargetBytes += bytes.length))
  return new Promise((resolve) => {
    const close = (): void => {
      client.unpipe().close()
      target.unpipe().close()
    }
    const done = (): void => resolve({ toClientBytes, toTargetBytes })
    const forget = served.whenOver(() => {
      close()
      done()
    })
    void Promise.all([flow(client, target), flow(target, client)]).then(close)
    void Promise.all([over(client, target), over(target, client)]).then(() => {
      forget()
      done()
    })
  })
}

/** Resolves when all that came from one is out on the other, and its end was said there. */
function flow(from: Channel, to: Channel): Promise<void> {
  from.pipe(to, { end: false })
  return new Promise((resolve) => {
    from.once('end', () =>
      whenOut(to, () => {
        to.eof()
        resolve()
      }),
    )
  })
}

/** Resolves when `channel` is closed; what came from it then still goes out to the other, which is closed after that. */
function over(channel: Channel, other: Channel): Promise<void> {
  channel.on('error', () => {})
  return new Promise((resolve) => {
    channel.once('close', () => {
      // Nobody takes what comes from the other end any more; read, or its own end would never be seen.
      other.unpipe(channel)
      other.resume()
      const late = setTimeout(() => other.close(), lingerMs)
      other.once('close', () => clearTimeout(late))
      whenOut(other, () => other.close())
      resolve()
    })
  })
}

/** Calls when all that was written before is out. */
function whenOut(channel: Channel, then: () => void): void {
  if (channel.writableLength === 0) then()
  else channel.write(Buffer.alloc(0), () => then())
}
