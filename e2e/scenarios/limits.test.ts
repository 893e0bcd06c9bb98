// Large results, slow readers and many sessions: memory stays bounded, and nobody waits for somebody else.

import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { peakDuring, residentMb } from '../bench/memory.js'
import { openStage, type Stage } from '../backends/shop.js'
import { bind, execute, message, parse, query, sync, type Message, type WireClient } from '../backends/wire-client.js'

let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(() => stage.close())

const types = (answers: readonly Message[]): string => answers.map(({ type }) => type).join('')

/** A bare process is about 125 MB, and V8 lets 64 MB of dead buffers gather in each of its threads that handle them, however large the result. */
const boundMb = 290

const rssMb = (): number => residentMb(stage.gateway.pid())

const peakMb = async (work: Promise<unknown>): Promise<number> => (await peakDuring(stage.gateway.pid(), () => work)).peakMb

describe('a result of 300 MB', () => {
  it.each(['shop', 'plain'])('passes through %s in bounded memory', async (target) => {
    const wire = await stage.wire('robot', target)
    wire.send(query(`select repeat('x', 1000000) from generate_series(1, 300)`))
    const work = wire.discardUntilReady(120_000)
    expect(await peakMb(work)).toBeLessThan(boundMb)
    expect(await work).toBeGreaterThan(300_000_000)
  })

  it('in one row, too', async () => {
    const wire = await stage.wire('robot', 'plain')
    wire.send(query(`select repeat('x', 250000000)`))
    const work = wire.discardUntilReady(120_000)
    expect(await peakMb(work)).toBeLessThan(boundMb)
    expect(await work).toBeGreaterThan(250_000_000)
  })
})

it('COPY in of 200 MB passes in bounded memory', async () => {
  const wire = await stage.wire('robot', 'plain')
  await wire.ask('create temp table big (t text)')
  wire.send(query('copy big from stdin'))
  await wire.until('G')
  const line = message('d', Buffer.from(`${'y'.repeat(999_999)}\n`))
  const work = (async () => {
    for (let times = 0; times < 200; times++) {
      wire.send(line)
      while (wire.unsent > 4_000_000) await wait(2)
    }
    wire.send(message('c'))
    return wire.until('Z', 120_000)
  })()
  expect(await peakMb(work)).toBeLessThan(boundMb)
  expect(types(await work)).toBe('CZ')
})

describe('a reader that stops reading', () => {
  it('is waited for without buffering, holds up nobody, and gets the rest when it goes on', async () => {
    const slow = await stage.wire('robot', 'plain')
    slow.send(query(`select repeat('x', 100000) from generate_series(1, 1000)`))
    const work = slow.discardUntilReady(120_000)
    slow.pause()
    const other = await stage.wire('second', 'plain')
    const before = rssMb()
    for (let times = 0; times < 50; times++) {
      expect(types(await other.ask('select 1'))).toBe('TDCZ')
      await wait(20)
    }
    expect(rssMb() - before).toBeLessThan(60)
    slow.resume()
    expect(await work).toBeGreaterThan(100_000_000)
  })
})

describe('sessions', () => {
  it('by the hundred stay small when idle', async () => {
    await wait(500)
    const before = rssMb()
    const open: WireClient[] = []
    while (open.length < 100) open.push(...(await Promise.all(Array.from({ length: 10 }, () => stage.wire('robot', 'plain')))))
    await wait(1000)
    expect((rssMb() - before) / open.length).toBeLessThan(0.35)
    for (const wire of open) expect(types(await wire.ask('select 1'))).toBe('TDCZ')
    for (const wire of open) wire.close()
  })

  it('with thousands of prepared statements and texts stay bounded', async () => {
    const wire = await stage.wire('robot', 'shop')
    for (let n = 0; n < 3000; n++) {
      wire.send(parse(`s${n}`, `select ${n}, '${'x'.repeat(200)}'`), sync)
      if (n % 100 === 99) for (let times = 0; times < 100; times++) await wire.until('Z')
    }
    wire.send(bind('', 's2999'), execute(), sync)
    expect(types(await wire.until('Z'))).toBe('2DCZ')
    for (let n = 0; n < 2000; n++) wire.send(query(`select /* ${n} */ 1`))
    for (let n = 0; n < 2000; n++) expect(types(await wire.until('Z'))).toBe('TDCZ')
    expect(rssMb()).toBeLessThan(300)
  })
})

describe('what no client may send', () => {
  it.each([
    ['a message of 2 GB', Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff])],
    ['a length below 4', Buffer.from([0x51, 0, 0, 0, 1])],
    ['an unknown message', message('?', 'x')],
    ['a login message again', message('p', 'x')],
    ['an answer of a server', message('D', Buffer.alloc(100))],
  ])('%s ends that session alone', async (_, bytes) => {
    const wire = await stage.wire('robot', 'shop')
    const other = await stage.wire('second', 'shop')
    wire.send(bytes)
    expect(await wire.gone()).toBe(true)
    expect(types(await other.ask('select 1'))).toBe('TDCZ')
  })
})
