import { describe, expect, it } from 'vitest'
import { Malformed } from '@sallyport/core'
import type { Frame } from '@sallyport/core'
import { MAX_BYTES_FRAME_BYTES, SESSION_NUMBER_BYTES, encodeClosed, encodeFrame, encodeOpened } from './codec.js'
import { decodeFrame, framesOf } from './decode.js'
import { FrameBuffer } from './frame-buffer.js'
import { at, recordedSession } from './samples.fixture.js'

function encoded(frame: Frame): Buffer {
  const out = new FrameBuffer()
  encodeFrame(out, 7, frame)
  expect(out.bytes.readUInt32LE(0)).toBe(7)
  return Buffer.from(out.bytes.subarray(SESSION_NUMBER_BYTES, out.length))
}

const effects = [{ access: 'read', verb: 'select', object: 'public.a', columns: ['public.a.b'] }] as const
const frames: readonly Frame[] = [
  { kind: 'bytes', at, channel: 3, from: 'client', bytes: Buffer.from([0, 1, 255]) },
  { kind: 'bytes', at, channel: 0, from: 'upstream', bytes: Buffer.alloc(0) },
  {
    kind: 'statement',
    at,
    statement: {
      id: 1,
      kind: 'query',
      text: 'select \u0000 ü 🙂 \ud800',
      parameters: ['a', null, ''],
      effects,
      held: true,
      provenance: 'x',
    },
  },
  { kind: 'statement', at, statement: { id: 0, kind: 'connect', text: '', parameters: [], effects: [], held: false } },
  { kind: 'ruling', at, statement: 1, ruling: { kind: 'allow', rule: null }, reviewers: [] },
  {
    kind: 'ruling',
    at,
    statement: 2,
    ruling: { kind: 'deny', cause: 'rule', rule: 'r', reason: 'no', hint: 'ask' },
    reviewers: ['ann', 'bob'],
    forwarded: 'select 1',
  },
  {
    kind: 'ruling',
    at,
    statement: 3,
    ruling: { kind: 'mask', rule: 'm', masks: [{ column: 'a.b.c', with: 'redact', rule: 'm' }], rowsUpTo: 9 },
    reviewers: [],
  },
  { kind: 'outcome', at, statement: 4, rows: 2 ** 40, bytes: 12, durationMs: 0.125 },
  { kind: 'outcome', at, statement: 4, rows: 0, bytes: 0, durationMs: 1, error: '42501 denied' },
  { kind: 'mark', at, channel: 1, name: 'resize', detail: '80x24' },
]

describe('frames', () => {
  it.each(frames.map((frame) => [frame.kind, frame] as const))('come back as they went in: %s', (_, frame) => {
    const back = decodeFrame(encoded(frame))
    if (back.kind === 'bytes') expect({ ...back, bytes: Buffer.from(back.bytes) }).toEqual(frame)
    else expect(back).toEqual(frame)
  })

  it('keep who, where and when of a session', () => {
    const out = new FrameBuffer()
    encodeOpened(out, 1, 'n1', recordedSession('s1'))
    encodeClosed(out, 1, at, 'client left')
    const [opened, closed] = [...framesWithoutNumbers(out)].map(decodeFrame)
    expect(opened).toMatchObject({ kind: 'opened', facts: { id: 's1', node: 'n1', identity: { name: 'ann' }, target: 'orders' } })
    expect(closed).toEqual({ kind: 'closed', at, outcome: 'client left' })
  })

  it('cut long runs of bytes without losing one', () => {
    const bytes = Buffer.alloc(MAX_BYTES_FRAME_BYTES * 2 + 5, 'abc')
    const out = new FrameBuffer()
    encodeFrame(out, 1, { kind: 'bytes', at, channel: 0, from: 'upstream', bytes })
    const parts = [...framesWithoutNumbers(out)].map((frame) => {
      const back = decodeFrame(frame)
      return back.kind === 'bytes' ? back.bytes : Buffer.alloc(0)
    })
    expect(parts.length).toBe(3)
    expect(Buffer.concat(parts).equals(bytes)).toBe(true)
  })

  it('that are damaged are Malformed and nothing else', () => {
    let seed = 1
    const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below
    let refused = 0
    for (let round = 0; round < 20_000; round++) {
      const frame = frames[random(frames.length)]
      if (frame === undefined) continue
      const bytes = encoded(frame)
      for (let change = random(3); change >= 0; change--) bytes[random(bytes.length)] = random(256)
      const cut = random(4) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes
      try {
        decodeFrame(cut)
      } catch (error) {
        expect(error).toBeInstanceOf(Malformed)
        refused += 1
      }
    }
    expect(refused).toBeGreaterThan(5_000)
  })
})

function* framesWithoutNumbers(out: FrameBuffer): Generator<Buffer> {
  for (let from = 0; from < out.length;) {
    const [frame] = framesOf(Buffer.from(out.bytes.subarray(from + SESSION_NUMBER_BYTES, out.length)))
    if (frame === undefined) return
    yield frame
    from += SESSION_NUMBER_BYTES + frame.length
  }
}
