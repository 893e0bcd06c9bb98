// Who hangs up gives up, also for what waits behind another answer of the same connection.

import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterEach, expect, it, vi } from 'vitest'
import { apiFixture } from './server.fixture.js'
import { buildApi } from './server.js'

let app: FastifyInstance | undefined
const warned: string[] = []
process.on('warning', ({ name }) => void warned.push(name))
afterEach(() => app?.close())

/** A connection to an API whose logins wait for ever, and the signals they were given. */
async function open(settles = false): Promise<{ readonly socket: Socket; readonly signals: readonly AbortSignal[] }> {
  const { parts } = apiFixture()
  const signals: AbortSignal[] = []
  const device: typeof parts.logins.device = async (provider, options) => {
    signals.push(options.signal)
    const begun = await parts.logins.device(provider, options)
    if (settles) return begun
    const settle = (): Promise<never> =>
      new Promise((_resolve, reject) => options.signal.addEventListener('abort', () => reject(new Error('gone')), { once: true }))
    return { ...begun, settle }
  }
  app = buildApi({ ...parts, logins: { ...parts.logins, device } })
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  return { socket, signals }
}

const asked =
  'POST /api/v1/login/device HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'

it('every login of a connection is given up with it', async () => {
  const { socket, signals } = await open()
  socket.write(asked.repeat(20))
  await vi.waitFor(() => expect(signals).toHaveLength(20), 5000)
  expect(signals.some(({ aborted }) => aborted)).toBe(false)
  socket.destroy()
  await vi.waitFor(() => expect(signals.every(({ aborted }) => aborted)).toBe(true), 5000)
  expect(warned).toEqual([])
})

it('an answer that is over leaves nothing behind on a connection that stays', async () => {
  const { socket, signals } = await open(true)
  socket.resume()
  for (let count = 1; count <= 3; count += 1) {
    socket.write(asked)
    await vi.waitFor(() => expect(signals.filter(({ aborted }) => aborted)).toHaveLength(count), 5000)
  }
  expect(socket.destroyed).toBe(false)
  socket.destroy()
})
