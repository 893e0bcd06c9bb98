import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Connection, Shared } from './connection.js'
import { answer } from './tunnel.js'

export async function serveUpgrade(
  _request: IncomingMessage,
  socket: Duplex,
  _head: Buffer,
  _connection: Connection,
  _shared: Shared,
): Promise<void> {
  answer(socket, { status: 501, title: 'Not taken', detail: 'WebSocket is not taken', code: 'upgrade' })
}
