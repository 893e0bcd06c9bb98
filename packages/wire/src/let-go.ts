// The end of a connection of ours: what was said last still arrives.

import type { Duplex } from 'node:stream'

/** How long the last bytes may take to leave. */
const lingerMs = 2_000

/** Lets the last bytes leave, then closes; a peer that does not take them is cut off. What it still sends is dropped. */
export function letGo(stream: Duplex): void {
  if (stream.destroyed) return
  stream.on('error', () => {})
  stream.removeAllListeners('data')
  stream.resume()
  const cut = setTimeout(() => stream.destroy(), lingerMs)
  stream.once('close', () => clearTimeout(cut))
  stream.end()
}
