import { describe, expect, it } from 'vitest'
import { Player } from './player.js'
import type { Line } from './shapes.js'

/** A clock that is wound by hand, and a transcript that tells how far it was read. */
function stage(transcript: (from: number) => Iterable<Line>) {
  const planned: { readonly inMs: number; readonly act: () => void; off: boolean }[] = []
  const seen = { read: 0, opened: [] as number[], failures: [] as unknown[] }
  const player = new Player({
    open: async function* (from, signal) {
      seen.opened.push(from)
      for (const line of transcript(from)) {
        if (signal.aborted) return
        seen.read += 1
        yield line
      }
    },
    after: (inMs, act) => {
      const plan = { inMs, act, off: false }
      planned.push(plan)
      return () => (plan.off = true)
    },
    changed: () => {},
    failed: (error) => seen.failures.push(error),
  })
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))
  /** Lets the next planned thing happen, and answers how long it had to wait. */
  const tick = async (): Promise<number | undefined> => {
    await settle()
    const due = planned.findLast(({ off }) => !off)
    if (due === undefined) return undefined
    due.off = true
    due.act()
    await settle()
    return due.inMs
  }
  return { player, seen, settle, tick }
}

const line = (atMs: number, text = `at ${atMs}`): Line => ({ at: atMs * 1000, from: 'client', text })
const texts = (player: Player): readonly string[] => player.shown.map(({ text }) => text)

describe('the player', () => {
  it('keeps the time between lines, shortened by the speed, and no pause that is long', async () => {
    const { player, tick } = stage(() => [line(0), line(400), line(60_000)])
    player.seek(0)
    player.setSpeed(4)
    player.play()
    expect([await tick(), await tick(), await tick(), await tick()]).toEqual([0, 100, 500, undefined])
    expect(texts(player)).toEqual(['at 0', 'at 400', 'at 60000'])
    expect([player.ended, player.playing]).toEqual([true, false])
  })

  it('shows lines of one moment together', async () => {
    const { player, tick } = stage(() => [line(5, 'row 1'), line(5, 'row 2'), line(5.5, 'row 3'), line(90, 'later')])
    player.seek(0)
    player.play()
    await tick()
    expect(texts(player)).toEqual(['row 1', 'row 2', 'row 3'])
  })

  it('pauses, steps, and goes on', async () => {
    const { player, tick, settle } = stage(() => [line(0), line(100), line(200)])
    player.seek(0)
    await settle()
    player.step()
    player.step()
    expect(texts(player)).toEqual(['at 0', 'at 100'])
    expect(await tick()).toBeUndefined()
    player.play()
    await tick()
    expect(player.ended).toBe(true)
  })

  it('begins again where it is told to, and forgets the rest', async () => {
    const all = [line(0), line(1000), line(2000)]
    const { player, seen, tick } = stage((from) => all.filter(({ at }) => at >= from))
    player.seek(0)
    player.play()
    await tick()
    player.seek(2_000_000)
    await tick()
    expect(texts(player)).toEqual(['at 2000'])
    expect(seen.opened).toEqual([0, 2_000_000])
  })

  it('reads ahead a little, keeps the last lines shown, and plays a very long transcript to its end', async () => {
    const { player, seen, settle, tick } = stage(function* () {
      for (let i = 0; i < 50_000; i++) yield line(i, `line ${i}`)
    })
    player.seek(0)
    await settle()
    expect(seen.read).toBeLessThan(400)
    player.setSpeed('fast')
    player.play()
    while (!player.ended) await tick()
    expect([player.shown.length, player.dropped, player.shown.at(-1)?.text]).toEqual([1000, 49_000, 'line 49999'])
  })

  it('holds few long lines, and cuts those that are too long', async () => {
    const { player, seen, settle, tick } = stage(function* () {
      for (let i = 0; i < 500; i++) yield line(i, 'x'.repeat(300_000))
    })
    player.seek(0)
    await settle()
    expect(seen.read).toBeLessThan(5)
    player.setSpeed('fast')
    player.play()
    while (!player.ended) await tick()
    expect(player.shown.length).toBeLessThanOrEqual(50)
    expect(player.shown.at(-1)).toMatchObject({ left: 280_000 })
  })

  it('tells what broke, and keeps what was shown', async () => {
    const { player, seen, tick } = stage(function* () {
      yield line(0)
      throw new Error('broken off')
    })
    player.seek(0)
    player.play()
    await tick()
    expect([texts(player), String(seen.failures[0]), player.ended]).toEqual([['at 0'], 'Error: broken off', true])
  })
})
