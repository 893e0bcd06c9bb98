// One port for all protocols: the first bytes tell. A client that waits for the server to speak is told by its silence.

import type { Socket } from 'node:net'
import type { Protocol } from '@sallyport/core'

/** Clients that speak first do so within a round trip; MySQL clients wait for ever. Warpgate makes them wait a whole second. */
const silenceMs = 150
/** No protocol needs more to be told apart than the head of a TLS ClientHello. */
const enoughBytes = 4096

/** Undefined: nobody recognises it, or nothing came. The bytes looked at are still in the stream. */
export async function detectProtocol(
  socket: Socket,
  protocols: readonly Protocol[],
  withinMs: number,
): Promise<Protocol | undefined> {
  const silent = protocols.find((protocol) => protocol.speaksFirst)
  const until = performance.now() + withinMs
  let seen = Buffer.alloc(0)
  for (;;) {
    const waitMs = seen.length === 0 && silent !== undefined ? silenceMs : Math.max(until - performance.now(), 0)
    const chunk = await nextChunk(socket, waitMs)
    if (chunk === 'closed') return undefined
    if (chunk === 'late') return seen.length === 0 ? silent : undefined
    seen = Buffer.concat([seen, chunk])
    const answers = protocols.map((protocol) => protocol.recognises(seen))
    const found = protocols[answers.indexOf('yes')]
    if (found !== undefined) {
      socket.unshift(seen)
      return found
    }
    if (!answers.includes('more') || seen.length > enoughBytes) return undefined
  }
}

function nextChunk(socket: Socket, waitMs: number): Promise<Buffer | 'late' | 'closed'> {
  return new Promise((resolve) => {
    const settle = (result: Buffer | 'late' | 'closed'): void => {
      clearTimeout(timer)
      socket.off('readable', look).off('end', gone).off('close', gone)
      resolve(result)
    }
    const look = (): void => {
      const chunk = socket.read() as Buffer | null
      if (chunk !== null) settle(chunk)
    }
    const gone = (): void => settle('closed')
    const timer = setTimeout(() => settle('late'), waitMs)
    socket.on('readable', look).on('end', gone).on('close', gone)
    look()
  })
}
