// A backend for the HTTP tests: a real server that says what it was asked and plays what is asked of it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface Backend {
  readonly url: string
  /** Every request that arrived. */
  readonly asked: readonly Asked[]
  readonly server: Server
  close(): Promise<void>
}

export type Play = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

/** Bodies are read whole, up to what a test sends. */
export async function startBackend(play: Play): Promise<Backend> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
      play(request, response, body)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    server,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((done) => server.close(() => done()))
    },
  }
}
