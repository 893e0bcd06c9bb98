// Two channels joined: whatever comes on one goes out on the other, and what was taken is passed on, however slow its reader is.

import type { Duplex } from 'node:stream'
import type { Served } from './served.js'

export interface Passed {
  readonly toClientBytes: number
  readonly toTargetBytes: number
}

/** A channel of the library. Its `close` sends the end at once, over what still waits for the window. */
type Channel = Duplex & { close(): void }

/** How long an end that nobody reads may keep what was sent to it. */
const lingerMs = 30_000

/** Both ways until both are over. The bytes of a tunnel are not read and not recorded. */
export function join(client: Channel, target: Channel, served: Served): Promise<Passed> {
  let toClientBytes = 0
  let toTargetBytes = 0
  target.on('data', (bytes: Buffer) => (toClientBytes += bytes.length))
  client.on('data', (bytes: Buffer) => (toTargetBytes += bytes.length))
  client.pipe(target)
  target.pipe(client)
  return new Promise((resolve) => {
    const done = (): void => resolve({ toClientBytes, toTargetBytes })
    const forget = served.whenOver(() => {
      client.unpipe().close()
      target.unpipe().close()
      done()
    })
    void Promise.all([over(client, target), over(target, client)]).then(() => {
      forget()
      done()
    })
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
      other.once('finish', () => other.close())
      if (other.writableFinished) other.close()
      else other.end()
      resolve()
    })
  })
}
