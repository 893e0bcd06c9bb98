import { describe, expect, it } from 'vitest'
import { Malformed } from '@sallyport/core'
import type { Denial, Outcome } from '@sallyport/core'
import type { Question } from '../served.js'
import { Exchange } from './exchange.js'
import { Cutter, Fields, kinds, packet, status, statusCodes } from './packets.js'

function stage(denies: (text: string) => boolean = () => false) {
  const seen = {
    client: [] as Buffer[],
    upstream: [] as Buffer[],
    asked: [] as Question[],
    outcomes: [] as Outcome[],
    marks: [] as string[],
    bytes: [] as string[],
  }
  let statement = 0
  let channel = 0
  const denial: Denial = { kind: 'deny', cause: 'rule', rule: 'r', reason: 'no' }
  const exchange = new Exchange({
    session: {
      record: (from, bytes) => void seen.bytes.push(`${from}:${Buffer.from(bytes).toString()}`),
      mark: (name, detail) => void seen.marks.push(`${name}: ${detail}`),
      outcome: (outcome) => void seen.outcomes.push(outcome),
    },
    judge: (question) => {
      seen.asked.push(question)
      statement += 1
      return Promise.resolve({ statement, ruling: denies(question.text) ? denial : { kind: 'allow', rule: null } })
    },
    nextChannel: () => (channel += 1),
    toClient: (bytes) => void seen.client.push(bytes),
    toUpstream: (bytes) => void seen.upstream.push(bytes),
    tell: () => {},
  })
  return { exchange, seen }
}

const init = Buffer.from([0, 0, 0, 5, kinds.init, 0, 0, 0, 3])
const open = (id: number, path: string, flags: number): Buffer => packet(kinds.open, id, path, flags, 0)
const long = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}
const raw = (kind: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat([Buffer.from([kind]), ...parts])
  const size = Buffer.alloc(4)
  size.writeUInt32BE(body.length)
  return Buffer.concat([size, body])
}
const number = (value: number): Buffer => packet(0, value).subarray(5)
const text = (value: string): Buffer => packet(0, value).subarray(5)

describe('an SFTP exchange', () => {
  it('offers only the extensions that are understood', () => {
    const { exchange, seen } = stage()
    void exchange.fromClient(init)
    exchange.fromUpstream(packet(kinds.version, 3, 'posix-rename@openssh.com', '1', 'evil@example.com', '1'))
    expect(seen.client[0]).toEqual(packet(kinds.version, 3, 'posix-rename@openssh.com', '1'))
  })

  it('holds an open until it is judged, and forwards it byte for byte', async () => {
    const { exchange, seen } = stage()
    void exchange.fromClient(init)
    const request = open(1, '/etc/passwd', 1)
    const wait = exchange.fromClient(request)
    expect(seen.upstream).toHaveLength(1)
    await wait
    expect(seen.upstream[1]).toEqual(request)
    expect(seen.asked[0]).toMatchObject({
      kind: 'file',
      text: 'read /etc/passwd',
      effects: [{ access: 'read', file: '/etc/passwd' }],
    })
  })

  it('answers a denied request itself, and nothing of it goes on', async () => {
    const { exchange, seen } = stage((asked) => asked.startsWith('write'))
    void exchange.fromClient(init)
    await exchange.fromClient(open(7, '../../etc/x', 2))
    expect(seen.upstream).toHaveLength(1)
    expect(seen.client[0]).toEqual(status(7, statusCodes.permissionDenied, 'no'))
    await exchange.fromClient(open(8, 'x', 1))
    expect(seen.upstream).toHaveLength(2)
  })

  it('knows a file by size and hash at its close, and records its content', async () => {
    const { exchange, seen } = stage()
    void exchange.fromClient(init)
    await exchange.fromClient(open(1, '/a', 2))
    exchange.fromUpstream(packet(kinds.handle, 1, 'H'))
    void exchange.fromClient(raw(kinds.write, number(2), text('H'), long(0), text('hello ')))
    void exchange.fromClient(raw(kinds.write, number(3), text('H'), long(6), text('world')))
    exchange.fromUpstream(status(2, 0, ''))
    exchange.fromUpstream(status(3, 0, ''))
    void exchange.fromClient(packet(kinds.close, 4, 'H'))
    expect(seen.outcomes).toEqual([])
    exchange.fromUpstream(status(4, 0, ''))
    expect(seen.bytes).toEqual(['client:hello ', 'client:world'])
    expect(seen.marks).toContain(
      'content: /a written: 11 bytes, sha256 b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
    )
    expect(seen.outcomes).toMatchObject([{ statement: 1, bytes: 11 }])
    void exchange.fromClient(packet(kinds.fstat, 5, 'H'))
    expect(seen.client.at(-1)).toEqual(status(5, statusCodes.failure, 'no such handle'))
  })

  it('claims no hash of what was not read in order', async () => {
    const { exchange, seen } = stage()
    void exchange.fromClient(init)
    await exchange.fromClient(open(1, '/a', 1))
    exchange.fromUpstream(packet(kinds.handle, 1, 'H'))
    void exchange.fromClient(raw(kinds.read, number(2), text('H'), long(5), number(5)))
    exchange.fromUpstream(packet(kinds.data, 2, 'world'))
    void exchange.fromClient(packet(kinds.close, 3, 'H'))
    exchange.fromUpstream(status(3, 0, ''))
    expect(seen.marks.at(-1)).toMatch(/not in order/)
  })

  it('counts what is read ahead of a close that was sent before the answer came, and says how the close failed', async () => {
    const { exchange, seen } = stage()
    void exchange.fromClient(init)
    await exchange.fromClient(open(1, '/a', 1))
    exchange.fromUpstream(packet(kinds.handle, 1, 'H'))
    void exchange.fromClient(raw(kinds.read, number(2), text('H'), long(0), number(5)))
    void exchange.fromClient(packet(kinds.close, 3, 'H'))
    exchange.fromUpstream(packet(kinds.data, 2, 'world'))
    exchange.fromUpstream(status(3, statusCodes.failure, ''))
    expect(seen.marks.at(-1)).toMatch(/^content: \/a read: 5 bytes, sha256 486ea462/)
    expect(seen.outcomes).toMatchObject([{ bytes: 5, error: 'SFTP status 4' }])
  })

  it('tells of what is open when the channel goes, also of what was about to be closed', async () => {
    const { exchange, seen } = stage()
    void exchange.fromClient(init)
    await exchange.fromClient(open(1, '/a', 1))
    exchange.fromUpstream(packet(kinds.handle, 1, 'H'))
    void exchange.fromClient(raw(kinds.read, number(2), text('H'), long(0), number(5)))
    void exchange.fromClient(packet(kinds.close, 3, 'H'))
    exchange.end()
    expect(seen.outcomes).toHaveLength(1)
    expect(() => exchange.fromUpstream(packet(kinds.data, 2, 'world'))).toThrow(Malformed)
  })

  it('denies what it does not know, and ends what breaks the protocol', async () => {
    const { exchange, seen } = stage()
    expect(() => exchange.fromClient(open(1, '/a', 1))).toThrow(Malformed)
    void exchange.fromClient(init)
    void exchange.fromClient(packet(99, 1))
    void exchange.fromClient(packet(kinds.extended, 2, 'evil@example.com', '/etc'))
    expect(seen.client.map((each) => each.readUInt32BE(9))).toEqual([statusCodes.unsupported, statusCodes.unsupported])
    expect(() => exchange.fromUpstream(status(42, 0, ''))).toThrow(Malformed)
    await exchange.fromClient(open(5, '/a', 1))
    expect(() => exchange.fromClient(packet(kinds.realpath, 5, '.'))).toThrow(Malformed)
    expect(() => exchange.fromClient(init)).toThrow(Malformed)
  })
})

describe('the decoders', () => {
  it('cut the same packets wherever the bytes are split', () => {
    const whole = Buffer.concat([init, open(1, '/etc/passwd', 1), packet(kinds.close, 2, 'H')])
    const once = new Cutter('client').push(whole)
    expect(once).toHaveLength(3)
    for (let at = 1; at < whole.length; at += 1) {
      const cutter = new Cutter('client')
      expect([...cutter.push(whole.subarray(0, at)), ...cutter.push(whole.subarray(at))]).toEqual(once)
    }
    const cutter = new Cutter('client')
    expect([...whole].flatMap((byte) => cutter.push(Buffer.from([byte])))).toEqual(once)
  })

  it('throw Malformed and nothing else, whatever they are fed', async () => {
    let seed = 12_345
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return (seed >>> 8) % below
    }
    for (let round = 0; round < 5_000; round += 1) {
      const { exchange } = stage()
      const body = Buffer.from(Array.from({ length: random(60) + 1 }, () => (random(3) === 0 ? random(256) : random(4))))
      body[0] = random(4) === 0 ? random(256) : random(22)
      const size = Buffer.alloc(4)
      size.writeUInt32BE(random(10) === 0 ? random(2 ** 24) : body.length)
      try {
        void exchange.fromClient(init)
        for (const each of new Cutter('client').push(Buffer.concat([size, body]))) await exchange.fromClient(each)
        for (const each of new Cutter('upstream').push(Buffer.concat([size, body]))) exchange.fromUpstream(each)
      } catch (error) {
        expect(error).toBeInstanceOf(Malformed)
      }
    }
  })

  it('refuse impossible lengths at once', () => {
    expect(() => new Cutter('client').push(Buffer.from([255, 255, 255, 255]))).toThrow(Malformed)
    expect(() => new Cutter('client').push(Buffer.from([0, 0, 0, 0]))).toThrow(Malformed)
    expect(() => new Fields(packet(1, 'x'), 'client').uint64()).toThrow(Malformed)
  })
})
