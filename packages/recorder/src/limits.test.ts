import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { RecordingFailed } from '@sallyport/core'
import { decodeFrame, framesOf } from './decode.js'
import type { RecordedFrame } from './decode.js'
import { openRecorder } from './recorder.js'
import type { LocalRecorder, RecorderLimits } from './recorder-options.js'
import { exchange, recordedSession, silent, temporaryHome } from './samples.fixture.js'
import type { ShipperThread } from './shipper-link.js'
import type { ShipperReport } from './shipper.js'
import { SpoolReader } from './spool-reader.js'

interface Stage {
  readonly recorder: LocalRecorder
  readonly home: string
  readonly report: (report: ShipperReport) => void
}

let stages: Stage[] = []

/** A recorder whose shipper says only what the test makes it say. */
async function stage(limits: Partial<RecorderLimits>): Promise<Stage> {
  const home = temporaryHome()
  let report: (report: ShipperReport) => void = () => undefined
  let end: (reason: string) => void = () => undefined
  const startShipper = (): ShipperThread => ({
    order: (order) => order.kind === 'stop' && end('stopped'),
    onReport: (listener) => {
      report = listener
      queueMicrotask(() => listener({ kind: 'ready', position: 0 }))
    },
    onEnd: (listener) => (end = listener),
    terminate: () => Promise.resolve(),
  })
  const recorder = await openRecorder({ home, node: 'n1', startShipper, log: silent, limits })
  const made = { recorder, home, report: (said: ShipperReport) => report(said) }
  stages.push(made)
  return made
}

function spooled(home: string): { number: number; frame: RecordedFrame }[] {
  const reader = new SpoolReader(join(home, 'spool'), 0)
  const found: { number: number; frame: RecordedFrame }[] = []
  for (let read = reader.next(); read.kind === 'batch'; read = reader.next()) {
    for (let at = 0; at < read.frames.length;) {
      const [frame] = framesOf(read.frames.subarray(at + 4))
      if (frame === undefined) break
      found.push({ number: read.frames.readUInt32LE(at), frame: decodeFrame(Buffer.from(frame)) })
      at += 4 + frame.length
    }
  }
  reader.close()
  return found
}

const catchUp = ({ recorder, report }: Stage): void => report({ kind: 'shipped', position: recorder.status.position })

afterEach(async () => {
  for (const made of stages) {
    const stopped = made.recorder.stop()
    catchUp(made)
    await stopped
  }
  stages = []
})

describe('durability', () => {
  it('process: what is settled is in the spool, at once and without a promise', async () => {
    const { recorder, home } = await stage({})
    const recording = recorder.open(recordedSession('s1'), () => undefined)
    for (const frame of exchange(1)) recording.append(frame)
    expect(spooled(home).length).toBe(1)
    expect(recording.settled()).toBeUndefined()
    expect(spooled(home).map(({ frame }) => frame.kind)).toEqual(['started', 'opened', 'statement', 'ruling', 'bytes', 'outcome'])
  })

  it('disk: resolves after the sync, and at once where nothing is new', async () => {
    const { recorder } = await stage({})
    const recording = recorder.open(recordedSession('s1', 'disk'), () => undefined)
    const settled = recording.settled()
    expect(settled).toBeInstanceOf(Promise)
    await settled
    expect(recording.settled()).toBeUndefined()
  })

  it('database: resolves when the shipper has passed it', async () => {
    const made = await stage({})
    const recording = made.recorder.open(recordedSession('s1', 'database'), () => undefined)
    let done = false
    const settled = Promise.resolve(recording.settled()).then(() => (done = true))
    made.report({ kind: 'shipped', position: made.recorder.status.position - 1 })
    await new Promise((resolve) => setImmediate(resolve))
    expect(done).toBe(false)
    catchUp(made)
    await settled
    expect(done).toBe(true)
  })
})

describe('limits', () => {
  it('a shipper that lags makes sessions wait until it has caught up', async () => {
    const made = await stage({ slowBytes: 2_000 })
    const recording = made.recorder.open(recordedSession('s1'), () => undefined)
    recording.append({ kind: 'bytes', at: 1, channel: 0, from: 'upstream', bytes: Buffer.alloc(3_000) })
    const settled = recording.settled()
    expect(settled).toBeInstanceOf(Promise)
    catchUp(made)
    await settled
    expect(recording.settled()).toBeUndefined()
  })

  it('a full spool fails every recording and refuses new ones, until the shipper has caught up', async () => {
    const made = await stage({ slowBytes: 1_000, fullBytes: 5_000 })
    const failures: Error[] = []
    const first = made.recorder.open(recordedSession('s1'), (error) => failures.push(error))
    made.recorder.open(recordedSession('s2'), (error) => failures.push(error))
    first.append({ kind: 'bytes', at: 1, channel: 0, from: 'upstream', bytes: Buffer.alloc(6_000) })
    expect(() => first.settled()).toThrow(RecordingFailed)
    await Promise.resolve()
    expect(failures.map((error) => error instanceof RecordingFailed && error.code)).toEqual(['spool-full', 'spool-full'])
    expect(() => made.recorder.open(recordedSession('s3'), () => undefined)).toThrow(RecordingFailed)
    expect(made.recorder.status.failure).toMatch(/wait to be shipped/)

    catchUp(made)
    expect(made.recorder.status.failure).toBeUndefined()
    const ends = spooled(made.home).filter(({ frame }) => frame.kind === 'closed')
    expect(ends.map(({ number, frame }) => [number, frame.kind === 'closed' && frame.outcome])).toEqual([
      [1, 'recording failed'],
      [2, 'recording failed'],
    ])
    expect(() => first.settled()).toThrow(RecordingFailed)
    expect(made.recorder.open(recordedSession('s3'), () => undefined).settled()).toBeUndefined()
  })

  it('a session that waits for the shipper is told when the record fails', async () => {
    const made = await stage({ slowBytes: 1_000, fullBytes: 5_000 })
    const slow = made.recorder.open(recordedSession('s1'), () => undefined)
    slow.append({ kind: 'bytes', at: 1, channel: 0, from: 'upstream', bytes: Buffer.alloc(2_000) })
    const settled = slow.settled()
    const shipped = made.recorder.shipped()
    const other = made.recorder.open(recordedSession('s2'), () => undefined)
    other.append({ kind: 'bytes', at: 1, channel: 0, from: 'upstream', bytes: Buffer.alloc(6_000) })
    expect(() => other.settled()).toThrow(RecordingFailed)
    await expect(settled).rejects.toThrow(RecordingFailed)
    await expect(shipped).rejects.toThrow(RecordingFailed)
  })

  it('a database that is gone for too long fails the record; its return mends it', async () => {
    vi.useFakeTimers()
    try {
      const made = await stage({ databaseGoneMs: 10_000 })
      const failures: Error[] = []
      made.recorder.open(recordedSession('s1'), (error) => failures.push(error))
      made.report({ kind: 'stalled', message: 'connection refused' })
      vi.advanceTimersByTime(9_000)
      expect(made.recorder.status).toMatchObject({ failure: undefined, stalled: 'connection refused' })
      vi.advanceTimersByTime(3_000)
      await Promise.resolve()
      expect(failures.map((error) => error instanceof RecordingFailed && error.code)).toEqual(['database-gone'])
      made.report({ kind: 'ready', position: 0 })
      expect(made.recorder.status).toMatchObject({ failure: undefined, stalled: undefined, recordings: 0 })
    } finally {
      vi.useRealTimers()
    }
  })

  it('a statement too large to keep fails its own session only', async () => {
    const { recorder, home } = await stage({})
    const failures: Error[] = []
    const huge = recorder.open(recordedSession('s1'), (error) => failures.push(error))
    const other = recorder.open(recordedSession('s2'), (error) => failures.push(error))
    const text = 'x'.repeat(65 * 1024 * 1024)
    huge.append({ kind: 'statement', at: 1, statement: { id: 1, kind: 'query', text, parameters: [], effects: [], held: true } })
    expect(() => huge.settled()).toThrow(RecordingFailed)
    expect(other.settled()).toBeUndefined()
    await Promise.resolve()
    expect(failures.length).toBe(1)
    expect(spooled(home).filter(({ frame }) => frame.kind === 'closed').length).toBe(1)
  })

  it('a shipper that dies again and again fails the record', async () => {
    vi.useFakeTimers()
    try {
      let starts = 0
      const startShipper = (): ShipperThread => {
        starts += 1
        return {
          order: () => undefined,
          onReport: (listener) => queueMicrotask(() => listener({ kind: 'ready', position: 0 })),
          onEnd: (listener) => void setTimeout(() => listener('killed'), 10),
          terminate: () => Promise.resolve(),
        }
      }
      const failures: string[] = []
      const recorder = await openRecorder({ home: temporaryHome(), node: 'n1', startShipper, log: silent })
      recorder.open(recordedSession('s1'), (error) => failures.push(error.message))
      await vi.advanceTimersByTimeAsync(20_000)
      expect(starts).toBe(6)
      expect(failures).toEqual(['the record cannot be shipped: killed'])
    } finally {
      vi.useRealTimers()
    }
  })
})
