// RFC 6455 frame by frame, by hand: what is well formed arrives as one message however it is cut, what is not ends the connection with the
// right code, and nothing of it reaches the other end. Autobahn's suite (websocket-suite.test.ts) needs Python 2.7; this runs everywhere.

import { createHash, randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHttpStage, type HttpStage } from '../backends/http-stage.js'

let stage: HttpStage
let echo: Server
/** A server that speaks frames by hand. */
let raw: Server
let speak: (socket: Duplex) => void = () => {}
const heard: string[] = []

const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeAll(async () => {
  echo = createServer()
  const sockets = new WebSocketServer({ server: echo })
  sockets.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.on('message', (data, binary) => {
      heard.push((data as Buffer).toString())
      socket.send(data as Buffer, { binary })
    })
  })
  raw = createServer()
  raw.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(`${String(request.headers['sec-websocket-key'])}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    socket.on('error', () => {})
    speak(socket)
  })
  const [echoUrl, rawUrl] = [await listen(echo), await listen(raw)]
  stage = await openHttpStage({
    targets: () =>
      `  - { name: echo, protocol: http, address: "${echoUrl}", tls: "off" }\n  - { name: raw, protocol: http, address: "${rawUrl}", tls: "off" }\n`,
    rules: '[{ name: none, what: { paths: ["/never"] }, then: deny }]',
  })
})

afterAll(async () => {
  await stage.close()
  for (const server of [echo, raw]) {
    server.closeAllConnections()
    server.close()
  }
})

interface FrameShape {
  readonly fin?: boolean
  readonly reserved?: number
  readonly masked?: boolean
}

function frame(opcode: number, payload: Buffer | string, { fin = true, reserved = 0, masked = true }: FrameShape = {}): Buffer {
  const bytes = Buffer.from(payload as string)
  const length =
    bytes.length < 126 ? [bytes.length] : bytes.length < 65_536 ? [126, bytes.length >> 8, bytes.length & 255] : undefined
  if (length === undefined) throw new Error('too long for these tests')
  const key = randomBytes(4)
  const head = Buffer.from([
    (fin ? 0x80 : 0) | (reserved << 4) | opcode,
    (masked ? 0x80 : 0) | (length[0] ?? 0),
    ...length.slice(1),
  ])
  if (!masked) return Buffer.concat([head, bytes])
  return Buffer.concat([head, key, Buffer.from(bytes.map((byte, index) => byte ^ (key[index % 4] ?? 0)))])
}

interface Heard {
  readonly opcode: number
  readonly payload: Buffer
}

class Caller {
  readonly socket: Socket
  readonly frames: Heard[] = []
  readonly closed: Promise<void>
  #rest: Buffer = Buffer.alloc(0)
  #wake: () => void = () => {}

  constructor(socket: Socket, rest: Buffer) {
    this.socket = socket
    this.closed = new Promise((done) => socket.once('close', () => done()))
    socket.on('data', (chunk: Buffer) => this.#read(chunk)).on('close', () => this.#wake())
    this.#read(rest)
  }

  async next(): Promise<Heard | 'closed'> {
    while (this.frames.length === 0) {
      if (this.socket.destroyed) return 'closed'
      await new Promise<void>((done) => (this.#wake = done))
    }
    return this.frames.shift() as Heard
  }

  /** The code it is closed with; 1005 where there is none, 1006 where it is cut off. */
  async closeCode(): Promise<number> {
    for (;;) {
      const found = await this.next()
      if (found === 'closed') return 1006
      if (found.opcode === 8) return found.payload.length < 2 ? 1005 : found.payload.readUInt16BE(0)
    }
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const data = this.#rest
      if (data.length < 2) break
      const short = (data[1] ?? 0) & 127
      const head = short === 126 ? 4 : short === 127 ? 10 : 2
      if (data.length < head) break
      const length = short === 126 ? data.readUInt16BE(2) : short === 127 ? Number(data.readBigUInt64BE(2)) : short
      if (data.length < head + length) break
      if (((data[1] ?? 0) & 0x80) !== 0) throw new Error('a server must not mask its frames (section 5.1)')
      this.frames.push({ opcode: (data[0] ?? 0) & 15, payload: Buffer.from(data.subarray(head, head + length)) })
      this.#rest = Buffer.from(data.subarray(head + length))
    }
    this.#wake()
  }
}

const key = 'dGhlIHNhbXBsZSBub25jZQ=='

function handshake(
  target: string,
  more: Readonly<Record<string, string | undefined>> = {},
): Promise<{ readonly head: string; readonly socket: Socket; readonly rest: Buffer }> {
  const fields = {
    Host: 'gateway',
    Authorization: `Bearer ${stage.token}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Version': '13',
    ...more,
  }
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return new Promise((done, fail) => {
    const socket = connect(stage.port, '127.0.0.1', () =>
      socket.write(`GET /${target}/ws HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`),
    )
    let said = Buffer.alloc(0)
    const look = (chunk: Buffer): void => {
      said = Buffer.concat([said, chunk])
      const end = said.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', look)
      done({ head: said.subarray(0, end).toString('latin1'), socket, rest: Buffer.from(said.subarray(end + 4)) })
    }
    socket.on('data', look).on('error', fail)
  })
}

async function call(target = 'echo'): Promise<Caller> {
  const { head, socket, rest } = await handshake(target)
  expect(head).toMatch(/^HTTP\/1.1 101 /)
  return new Caller(socket, rest)
}

describe('the handshake', () => {
  it('is answered as section 4.2.2 says', async () => {
    const { head, socket } = await handshake('echo', { 'Sec-WebSocket-Extensions': 'permessage-deflate' })
    expect(head).toMatch(/^HTTP\/1.1 101 /)
    expect(head).toMatch(/^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=$/im)
    expect(head).not.toMatch(/extensions/i)
    socket.destroy()
  })

  it.each([
    ['no key', { 'Sec-WebSocket-Key': undefined }],
    ['a key that is none', { 'Sec-WebSocket-Key': 'short' }],
    ['another version', { 'Sec-WebSocket-Version': '7' }],
    ['no version', { 'Sec-WebSocket-Version': undefined }],
  ])('with %s is refused', async (_name, fields) => {
    const { head, socket } = await handshake('echo', fields)
    expect(head).toMatch(/^HTTP\/1.1 4\d\d /)
    socket.destroy()
  })
})

describe('what is well formed', () => {
  it.each([0, 1, 125, 126, 127, 65_535])('a text of %i bytes, and the same as bytes', async (length) => {
    const caller = await call()
    for (const opcode of [1, 2]) {
      caller.socket.write(frame(opcode, 'x'.repeat(length)))
      expect(await caller.next()).toEqual({ opcode, payload: Buffer.from('x'.repeat(length)) })
    }
    caller.socket.destroy()
  })

  it('frames byte by byte, many in one piece, and messages in fragments with a ping between them', async () => {
    const caller = await call()
    for (const byte of frame(1, 'slowly')) caller.socket.write(Buffer.from([byte]))
    expect(await caller.next()).toEqual({ opcode: 1, payload: Buffer.from('slowly') })
    caller.socket.write(Buffer.concat([frame(1, 'one'), frame(1, 'two')]))
    expect([await caller.next(), await caller.next()].map((each) => (each as Heard).payload.toString())).toEqual(['one', 'two'])
    const parts = [
      frame(1, 'Gr', { fin: false }),
      frame(9, 'are you there'),
      frame(0, 'ü\u00df'.slice(0, 1), { fin: false }),
      frame(0, '', { fin: false }),
      frame(0, 'ß'),
    ]
    caller.socket.write(Buffer.concat(parts))
    expect([await caller.next(), await caller.next()]).toEqual([
      { opcode: 10, payload: Buffer.from('are you there') },
      { opcode: 1, payload: Buffer.from('Grüß') },
    ])
    caller.socket.write(frame(10, 'a pong nobody asked for'))
    caller.socket.write(frame(1, 'still here'))
    expect(await caller.next()).toMatchObject({ payload: Buffer.from('still here') })
    caller.socket.destroy()
  })

  it.each([1000, 1001, 1003, 1011, 3000, 4999])('a close with %i is answered with it', async (code) => {
    const caller = await call()
    const payload = Buffer.alloc(2)
    payload.writeUInt16BE(code)
    caller.socket.write(frame(8, payload))
    expect(await caller.closeCode()).toBe(code)
    await caller.closed
  })
})

describe('what is not', () => {
  const code = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
  const invalid = Buffer.from([0x48, 0xc3, 0x28])
  it.each<readonly [string, () => Buffer, number]>([
    ['a frame that is not masked', () => frame(1, 'lost', { masked: false }), 1002],
    ['a reserved bit', () => frame(1, 'lost', { reserved: 4 }), 1002],
    ['another reserved bit', () => frame(1, 'lost', { reserved: 2 }), 1002],
    ['a ping with a reserved bit', () => frame(9, 'lost', { reserved: 1 }), 1002],
    ['a reserved kind of data', () => frame(3, 'lost'), 1002],
    ['a reserved kind of control', () => frame(11, 'lost'), 1002],
    ['a long ping', () => frame(9, 'x'.repeat(126)), 1002],
    ['a ping in fragments', () => frame(9, 'lost', { fin: false }), 1002],
    ['a close in fragments', () => frame(8, code(1000), { fin: false }), 1002],
    ['a continuation of nothing', () => frame(0, 'lost'), 1002],
    ['a message inside another', () => Buffer.concat([frame(1, 'lost', { fin: false }), frame(1, 'lost')]), 1002],
    ['text that is not UTF-8', () => frame(1, invalid), 1007],
    [
      'text that is not UTF-8 over two fragments',
      () => Buffer.concat([frame(1, invalid.subarray(0, 2), { fin: false }), frame(0, invalid.subarray(2))]),
      1007,
    ],
    ['a surrogate in UTF-8', () => frame(1, Buffer.from([0xed, 0xa0, 0x80])), 1007],
    ['a close of one byte', () => frame(8, Buffer.from([3])), 1002],
    ['a close with 1005', () => frame(8, code(1005)), 1002],
    ['a close with 1006', () => frame(8, code(1006)), 1002],
    ['a close with 1015', () => frame(8, code(1015)), 1002],
    ['a close with 999', () => frame(8, code(999)), 1002],
    ['a close with 5000', () => frame(8, code(5000)), 1002],
    ['a close whose reason is not UTF-8', () => frame(8, Buffer.concat([code(1000), invalid])), 1007],
    ['a length with its highest bit set', () => Buffer.from([0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4]), 1009],
    ['a message longer than is taken', () => Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4]), 1009],
  ])('%s', async (_name, bytes, expected) => {
    const before = heard.length
    const caller = await call()
    caller.socket.write(bytes())
    expect([expected, 1006]).toContain(await caller.closeCode())
    caller.socket.destroy()
    expect(heard.length).toBe(before)
  })
})

describe('a target that breaks the protocol', () => {
  it.each<readonly [string, Buffer]>([
    ['a masked frame', frame(1, 'lost')],
    ['a reserved bit', frame(1, 'lost', { reserved: 4, masked: false })],
    ['text that is not UTF-8', frame(1, Buffer.from([0xff]), { masked: false })],
    ['a reserved kind', frame(4, 'lost', { masked: false })],
    ['a message without end', Buffer.from([0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0])],
  ])('by %s ends the WebSocket, and nothing of it is shown', async (_name, bytes) => {
    speak = (socket) => socket.write(Buffer.concat([frame(1, 'first', { masked: false }), bytes]))
    const caller = await call('raw')
    const all: Heard[] = []
    for (let found = await caller.next(); found !== 'closed'; found = await caller.next()) {
      all.push(found)
      if (found.opcode === 8) break
    }
    caller.socket.destroy()
    expect(all.filter(({ opcode }) => opcode !== 8).map(({ payload }) => payload.toString())).toEqual(['first'])
    expect(all.at(-1)?.opcode).toBe(8)
  })
})
