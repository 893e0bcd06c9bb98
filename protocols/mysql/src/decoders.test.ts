// Every decoder of this room against packets that are cut anywhere or have bytes flipped, from either side: an answer, or Malformed by the side that sent it.

import { Malformed } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { readBinaryRow, readColumn, readTextRow } from './columns.js'
import { readAuthSwitch, readGreeting, readResponse, writeAuthSwitch, writeGreeting, writeResponse } from './handshake.js'
import { capability, errorPayload, lenenc, lenencText, okPayload, readEof, readError, readOk, uint } from './packets.js'
import { readExecution } from './parameters.js'
import { cachingSha2 } from './scramble.js'

const nonce = Buffer.alloc(20, 7)
const every = Object.values(capability).reduce((sum, flag) => sum | flag, 0)
const types = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 246, 252, 253, 254]
const columns = types.map((type) => ({
  schema: '',
  table: '',
  originTable: '',
  name: 'c',
  originName: '',
  type,
  unsigned: type % 2 === 0,
}))
const value: Readonly<Record<number, Buffer>> = {
  1: uint(5, 1),
  2: uint(5, 2),
  3: uint(5, 4),
  4: Buffer.alloc(4),
  5: Buffer.alloc(8),
  7: Buffer.from([4, 0xea, 7, 1, 2]),
  8: Buffer.alloc(8, 1),
  9: uint(5, 4),
  10: Buffer.from([0]),
  11: Buffer.from([8, 1, 1, 0, 0, 0, 2, 3, 4]),
  12: Buffer.from([11, 0xea, 7, 1, 2, 3, 4, 5, 6, 7, 0, 0]),
  13: uint(2026, 2),
}
const values = types.map((type) => value[type] ?? lenencText('text'))
const nulls = (count: number): Buffer => Buffer.alloc(count)

/** A good packet, and who reads it. */
const decoders: readonly (readonly [
  name: string,
  from: 'client' | 'upstream',
  packet: Buffer,
  read: (packet: Buffer) => unknown,
])[] = [
  [
    'greeting',
    'upstream',
    writeGreeting({ version: '8.0.40', threadId: 7, nonce, capabilities: every, plugin: cachingSha2 }),
    readGreeting,
  ],
  ['auth switch', 'upstream', writeAuthSwitch(cachingSha2, nonce), readAuthSwitch],
  [
    'response',
    'client',
    writeResponse({
      capabilities: every,
      user: 'robot',
      answer: nonce,
      database: 'shop',
      plugin: cachingSha2,
      attributes: new Map([['a', 'b']]),
    }),
    readResponse,
  ],
  ['error', 'upstream', errorPayload({ code: 1064, state: '42000', message: 'no' }), (packet) => readError(packet)],
  ['ok', 'upstream', okPayload(2), readOk],
  ['end', 'upstream', Buffer.from('fe00000200', 'hex'), readEof],
  [
    'column',
    'upstream',
    Buffer.concat([
      ...['def', 'shop', 't', 't', 'c', 'c'].map(lenencText),
      lenenc(12),
      uint(45, 2),
      uint(80, 4),
      uint(253, 1),
      uint(0, 2),
      uint(0, 3),
    ]),
    readColumn,
  ],
  [
    'text row',
    'upstream',
    Buffer.concat([lenencText('a'), Buffer.from([0xfb]), lenencText('x'.repeat(300))]),
    (packet) => readTextRow(packet, 3),
  ],
  [
    'binary row',
    'upstream',
    Buffer.concat([uint(0, 1), nulls((types.length + 9) >> 3), ...values]),
    (packet) => readBinaryRow(packet, columns),
  ],
  [
    'execution',
    'client',
    Buffer.concat([Buffer.alloc(10), nulls((types.length + 7) >> 3), uint(1, 1), ...types.map((type) => uint(type, 2)), ...values]),
    (packet) => readExecution(packet, types.length, [], new Map()),
  ],
]

/** A small linear congruential generator: the same noise every run. */
function noise(seed: number): () => number {
  let state = seed
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8
}

describe.each(decoders)('%s', (_, from, packet, read) => {
  /** What else it threw than Malformed by the side that sent the packet. */
  const fault = (bytes: Buffer): unknown => {
    try {
      read(bytes)
    } catch (error) {
      return error instanceof Malformed && error.fault === from ? undefined : error
    }
    return undefined
  }

  it('is read whole', () => expect(() => read(packet)).not.toThrow())

  it('is read or refused, cut anywhere', () => {
    for (let size = 0; size < packet.length; size += 1) expect(fault(packet.subarray(0, size))).toBeUndefined()
  })

  it('is read or refused, whatever byte is another', () => {
    for (let at = 0; at < packet.length; at += 1)
      for (const byte of [0, 1, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff]) {
        const bytes = Buffer.from(packet)
        bytes[at] = byte
        expect(fault(bytes)).toBeUndefined()
      }
  })

  it('is read or refused, whatever many bytes are', () => {
    for (let round = 0; round < 500; round += 1) {
      const next = noise(round)
      const bytes = Buffer.from(packet.subarray(0, 1 + (next() % packet.length)))
      for (let flips = next() % 6; flips >= 0; flips -= 1) bytes[next() % bytes.length] = next() & 0xff
      expect(fault(bytes)).toBeUndefined()
    }
  })
})
