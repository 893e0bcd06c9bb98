// How long a gateway is waited for: little for the connection, long for the answer, whether the connection is a new one or not.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { openClient } from './gateway-client.js'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function portOf(server: Server): Promise<number> {
  cleanups.push(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

it('asks again and again over one connection, and waits there for a slow answer as on a new one', async () => {
  const held: ServerResponse[] = []
  const connections = new Set<Socket>()
  const server = createServer((request, response) => {
    connections.add(request.socket)
    if (request.url === '/api/v1/slow') held.push(response)
    else response.end('{}')
  })
  const client = openClient({ SALLYPORT_URL: `http://127.0.0.1:${await portOf(server)}`, SALLYPORT_TOKEN: 'sp_any' })
  cleanups.push(() => server.closeAllConnections())
  const warned = vi.spyOn(process, 'emitWarning')
  for (let times = 0; times < 20; times++) await client.call('GET', '/quick')
  expect([connections.size, warned.mock.calls]).toEqual([1, []])
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  cleanups.push(() => vi.useRealTimers())
  const slow = client.call('GET', '/slow')
  await vi.waitFor(() => expect(held).toHaveLength(1))
  vi.advanceTimersByTime(60_000)
  held[0]?.end('{"late":true}')
  expect(await slow).toEqual({ late: true })
  expect(connections.size).toBe(1)
})

it('gives up on who accepts a connection and never secures it', async () => {
  const reached: Socket[] = []
  const port = await portOf(createTcpServer((socket) => void reached.push(socket)))
  cleanups.push(() => reached.forEach((socket) => socket.destroy()))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  cleanups.push(() => vi.useRealTimers())
  const asked = openClient({ SALLYPORT_URL: `https://127.0.0.1:${port}`, SALLYPORT_TOKEN: 'sp_any' }).call('GET', '/whoami')
  const refusal = asked.catch(String)
  await vi.waitFor(() => expect(reached).toHaveLength(1))
  vi.advanceTimersByTime(10_000)
  expect(await refusal).toMatch(/no gateway answers at .*no connection in time/)
})
