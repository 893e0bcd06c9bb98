import { appendFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryHome } from './samples.fixture.js'
import { SpoolReader } from './spool-reader.js'
import type { SpoolRead } from './spool-reader.js'
import { BATCH_HEAD_BYTES, Spool, segmentName, segmentStarts, spoolEnd } from './spool.js'

const fresh = (): string => join(temporaryHome(), 'spool')

function write(spool: Spool, text: string): void {
  spool.out.raw(Buffer.from(text))
  spool.write()
}

function readAll(reader: SpoolReader): (string | SpoolRead)[] {
  const found: (string | SpoolRead)[] = []
  for (;;) {
    const read = reader.next()
    if (read.kind === 'none') return found
    found.push(read.kind === 'batch' ? read.frames.toString() : read)
  }
}

describe('the spool', () => {
  it('gives back what was written, across segments, and deletes what was shipped', async () => {
    const directory = fresh()
    const spool = new Spool(directory, 0, 100)
    const texts = Array.from({ length: 40 }, (_, index) => `batch ${index}`)
    const reader = new SpoolReader(directory, 0)
    for (const text of texts.slice(0, 20)) write(spool, text)
    expect(readAll(reader)).toEqual(texts.slice(0, 20))
    for (const text of texts.slice(20)) write(spool, text)
    expect(readAll(reader)).toEqual(texts.slice(20))
    expect(reader.position).toBe(spool.position)
    reader.deleteBefore(reader.position)
    expect(segmentStarts(directory).length).toBe(1)
    expect(spoolEnd(directory)).toBe(spool.position)
    reader.close()
    await spool.close()
  })

  it('can be read from any batch on', async () => {
    const directory = fresh()
    const spool = new Spool(directory, 500, 60)
    const positions = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((text) => {
      const before = spool.position
      write(spool, text)
      return before
    })
    positions.forEach((position, index) => {
      const reader = new SpoolReader(directory, position)
      expect(readAll(reader)).toEqual('abcdefgh'.slice(index).split(''))
      reader.close()
    })
    await spool.close()
  })

  it('waits for a batch that is still being written, and drops it once a new process began its own segment', async () => {
    const directory = fresh()
    const spool = new Spool(directory, 0, 1_000_000)
    write(spool, 'first')
    write(spool, 'second, which is torn')
    await spool.close()
    const path = join(directory, segmentName(0))
    const whole = readFileSync(path)
    const end = BATCH_HEAD_BYTES + 5
    for (let cut = end + 1; cut < whole.length; cut++) {
      writeFileSync(path, whole)
      truncateSync(path, cut)
      const reader = new SpoolReader(directory, 0)
      expect(readAll(reader)).toEqual(['first'])
      expect(reader.next()).toEqual({ kind: 'none', torn: true })
      writeFileSync(join(directory, segmentName(cut)), '')
      expect(reader.next()).toEqual({ kind: 'skipped', from: end, to: cut, tail: true })
      expect(reader.next()).toEqual({ kind: 'none', torn: false })
      reader.close()
      rmSync(join(directory, segmentName(cut)))
    }
  })

  it('says so where a batch in the middle of a finished segment is damaged', async () => {
    const directory = fresh()
    const spool = new Spool(directory, 0, 1_000_000)
    write(spool, 'first')
    write(spool, 'second')
    write(spool, 'third')
    const end = spool.position
    await spool.close()
    const next = new Spool(directory, end, 1_000_000)
    write(next, 'fourth')
    const path = join(directory, segmentName(0))
    const bytes = readFileSync(path)
    const damaged = 2 * BATCH_HEAD_BYTES + 5 + 2
    bytes.writeUInt8(bytes.readUInt8(damaged) ^ 1, damaged)
    writeFileSync(path, bytes)
    const reader = new SpoolReader(directory, 0)
    expect(readAll(reader)).toEqual(['first', { kind: 'skipped', from: BATCH_HEAD_BYTES + 5, to: end, tail: false }, 'fourth'])
    reader.close()
    await next.close()
  })

  it('takes zeros after a power loss for an unfinished write', async () => {
    const directory = fresh()
    const spool = new Spool(directory, 0, 1_000_000)
    write(spool, 'first')
    await spool.close()
    appendFileSync(join(directory, segmentName(0)), Buffer.alloc(4096))
    const next = new Spool(directory, spoolEnd(directory), 1_000_000)
    write(next, 'second')
    const reader = new SpoolReader(directory, 0)
    const [first, skipped, second] = readAll(reader)
    expect([first, second]).toEqual(['first', 'second'])
    expect(skipped).toMatchObject({ kind: 'skipped', tail: true })
    reader.close()
    await next.close()
  })

  it('tells of positions that are gone altogether', async () => {
    const directory = fresh()
    const spool = new Spool(directory, 900, 1_000)
    write(spool, 'x')
    const reader = new SpoolReader(directory, 100)
    expect(readAll(reader)).toEqual([{ kind: 'skipped', from: 100, to: 900, tail: false }, 'x'])
    reader.close()
    await spool.close()
  })

  it('shares a sync among those who wait, and covers what they wrote', async () => {
    const directory = fresh()
    const spool = new Spool(directory, 0, 50)
    const waits: Promise<void>[] = []
    for (let index = 0; index < 20; index++) {
      write(spool, `text ${index}`)
      const wanted = spool.position
      waits.push(spool.sync().then(() => expect(spool.synced).toBeGreaterThanOrEqual(wanted)))
    }
    await Promise.all(waits)
    await spool.close()
    expect(existsSync(join(directory, segmentName(0)))).toBe(true)
  })
})
