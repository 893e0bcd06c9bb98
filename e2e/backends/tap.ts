// A wire tap: passes a TCP connection on to a port of this machine and keeps what went each way, so that a test can say what was on the wire.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

export interface Tap {
  readonly port: number
  /** Since the last `clear`, all connections together. */
  readonly toServer: () => Buffer
  readonly toClient: () => Buffer
  clear(): void
  close(): Promise<void>
}

export async function openTap(port: number): Promise<Tap> {
  let up: Buffer[] = []
  let down: Buffer[] = []
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const [from, to, kept] of [[client, upstream, () => up] as const, [upstream, client, () => down] as const]) {
      open.add(from)
      from.on('data', (chunk) => {
        kept().push(chunk)
        to.write(chunk)
      })
      from.on('error', () => to.destroy())
      from.on('end', () => to.end())
      from.on('close', () => open.delete(from))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    toServer: () => Buffer.concat(up),
    toClient: () => Buffer.concat(down),
    clear: () => {
      up = []
      down = []
    },
    close: async () => {
      server.close()
      for (const socket of open) socket.destroy()
      await once(server, 'close')
    },
  }
}
