// A small HTTP API to guard: customers and refunds as JSON, open only to whoever shows the key that the gateway keeps.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'

export interface SampleCrm {
  readonly address: string
  /** Holds the key the API asks for, as `X-Api-Key`. */
  readonly keyFile: string
  stop(): Promise<void>
}

const maxBodyBytes = 65_536

/** Made anew at each start, so that the tour always finds the same customers. */
function sampleCustomers(): Map<string, object> {
  return new Map<string, object>([
    ['1', { id: 1, name: 'Ada Brook', email: 'ada@example.test', phone: '+44 20 7946 0101', plan: 'gold' }],
    ['2', { id: 2, name: 'Ben Carver', email: 'ben@example.test', phone: '+44 20 7946 0102', plan: 'basic' }],
    ['3', { id: 3, name: 'Cleo Dunn', email: 'cleo@example.test', phone: '+44 20 7946 0103', plan: 'gold' }],
  ])
}

export async function startCrm(directory: string, port: number): Promise<SampleCrm> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const key = randomBytes(24).toString('base64url')
  const keyFile = join(directory, 'key')
  writeFileSync(keyFile, key, { mode: 0o600 })
  const customers = sampleCustomers()
  const server = createServer((request, response) => {
    request.on('error', () => response.destroy())
    if (!isKey(request.headers['x-api-key'], key)) return answer(response, 401, { error: 'show your key' })
    void bodyOf(request).then(
      (body) => serve(request.method ?? '', request.url ?? '', body, customers, response),
      () => answer(response, 413, { error: 'too long' }),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve())
  })
  return {
    address: `http://127.0.0.1:${port}`,
    keyFile,
    stop: () => {
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      return stopped
    },
  }
}

function serve(method: string, url: string, body: string, customers: Map<string, object>, response: ServerResponse): void {
  const path = url.split('?', 1)[0] ?? ''
  const [, id] = /^\/customers\/(\d{1,9})$/.exec(path) ?? []
  const customer = id === undefined ? undefined : customers.get(id)
  if (method === 'GET' && path === '/customers') return answer(response, 200, { customers: [...customers.values()] })
  if (method === 'GET' && customer !== undefined) return answer(response, 200, customer)
  if (method === 'DELETE' && id !== undefined && customers.delete(id)) return answer(response, 200, { deleted: Number(id) })
  if (method === 'POST' && path === '/refunds') return answer(response, 201, { refunded: true, request: parsed(body) })
  answer(response, 404, { error: 'GET /customers, GET or DELETE /customers/ID, POST /refunds' })
}

function answer(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`)
}

function isKey(shown: string | string[] | undefined, key: string): boolean {
  const given = Buffer.from(typeof shown === 'string' ? shown : '')
  return given.length === key.length && timingSafeEqual(given, Buffer.from(key))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBodyBytes) throw new RangeError('too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}
