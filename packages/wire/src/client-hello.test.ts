import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { connect } from 'node:tls'
import { expect, it } from 'vitest'
import { readClientHello } from './client-hello.js'

/** What Node's own client sends first. */
function hello(protocols: readonly string[]): Promise<Buffer> {
  const stream = new PassThrough()
  const half = Object.assign(stream, { write: stream.write.bind(stream) })
  return new Promise((done) => {
    half.once('data', (chunk: Buffer) => done(chunk))
    connect({ socket: half, ALPNProtocols: [...protocols], servername: 'x.test' }).on('error', () => {})
  })
}

it.each([[['h2', 'http/1.1']], [['postgresql']], [[]]])('reads %j, cut anywhere', async (protocols) => {
  const bytes = await hello(protocols)
  expect(readClientHello(bytes)).toEqual({ kind: 'hello', protocols })
  for (let size = 0; size < bytes.length; size += 1) expect(readClientHello(bytes.subarray(0, size))).toEqual({ kind: 'more' })
})

it('says what is no TLS', () => {
  for (const text of ['GET / ', '\x16\x02\x00\x00\x05', '\x16\x03\x01\x00\x04\x02\x00\x00\x00'])
    expect(readClientHello(Buffer.from(text, 'latin1'))).toEqual({ kind: 'not-tls' })
})

it('takes any bytes', () => {
  for (let round = 0; round < 2_000; round += 1) {
    const bytes = Buffer.concat([Buffer.from([0x16, 3, 1, 0, 60, 1, 0, 0, 56]), randomBytes(round % 80)])
    expect(['more', 'not-tls', 'hello']).toContain(readClientHello(bytes).kind)
  }
})
