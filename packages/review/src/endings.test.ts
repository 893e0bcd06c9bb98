// A review ends once, however many things happen at a time, and trouble ends it in a denial. The clock is the test's.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { askOf, bot, dba, MemoryTable, openReviews, refusal, statement, target, who } from './review.fixture.js'
import type { ReviewLimits, Reviews } from './reviews.js'

let table: MemoryTable
let reviews: Reviews
let logged: string[]

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 23) })
  table = new MemoryTable()
  logged = []
  reviews = open()
})
afterEach(() => {
  vi.useRealTimers()
})

const open = (limits?: Partial<ReviewLimits>): Reviews => openReviews(table, logged, limits)
const ask = (...asked: Parameters<typeof askOf> extends [Reviews, ...infer Rest] ? Rest : never): ReturnType<typeof askOf> =>
  askOf(reviews, ...asked)

describe('an end', () => {
  it('comes with time, counted from the start, by the shortest ask', async () => {
    const { notice, settlement } = await ask([dba(1, 600_000), dba(1, 30_000)])
    await vi.advanceTimersByTimeAsync(29_000)
    expect((await reviews.get(notice.review))?.state).toBe('open')
    await vi.advanceTimersByTimeAsync(1_001)
    expect(await settlement).toMatchObject({ kind: 'denied', cause: 'review-expired', review: notice.review })
    expect((await reviews.get(notice.review))?.state).toBe('expired')
  })

  it('comes when the caller leaves', async () => {
    const { notice, settlement, withdraw } = await ask()
    withdraw.abort()
    expect(await settlement).toMatchObject({ kind: 'denied', cause: 'review-withdrawn' })
    expect((await reviews.get(notice.review))?.state).toBe('withdrawn')
  })

  it('comes before a beginning, where the caller has left already', async () => {
    const settlement = await reviews.ask(
      { session: 's', identity: bot, target, statement, asks: [dba()] },
      { signal: AbortSignal.abort(), onWait: () => {} },
    )
    expect(settlement).toMatchObject({ cause: 'review-withdrawn', review: '' })
    expect(table.records.size).toBe(0)
  })

  it('comes when the gateway stops', async () => {
    const { settlement } = await ask()
    await reviews.stop()
    expect(await settlement).toMatchObject({ cause: 'review-withdrawn' })
    expect(table.listeners).toBe(0)
    expect((await ask()).notice.review).toBe('')
  })

  it('comes from another node, and is seen even where its notice is lost', async () => {
    const { notice, settlement } = await ask()
    const elsewhere = open()
    table.deaf = true
    await elsewhere.decide(notice.review, who('dora'), 'approve', '')
    await vi.advanceTimersByTimeAsync(10_001)
    expect(await settlement).toEqual({ kind: 'approved', reviewers: ['dora'] })
  })

  it('is settled here where the node that took the decision died before it could', async () => {
    const { notice, settlement } = await ask()
    await table.addDecision(notice.review, { reviewer: 'dora', kind: 'approve', reason: '', at: new Date(), groups: ['dba'] })
    expect((await settlement).kind).toBe('approved')
    expect((await reviews.get(notice.review))?.state).toBe('approved')
  })

  it('does not come from deciding early for a later statement', async () => {
    const first = await ask()
    await reviews.decide(first.notice.review, who('dora'), 'approve', '')
    expect((await first.settlement).kind).toBe('approved')
    const second = await ask()
    expect(second.notice.review).not.toBe(first.notice.review)
    expect((await reviews.get(second.notice.review))?.state).toBe('open')
    second.withdraw.abort()
    await second.settlement
  })
})

describe('races', () => {
  const orders = ['approve', 'withdraw', 'expire', 'deny'] as const
  const permutations = (of: readonly string[]): readonly (readonly string[])[] =>
    of.length < 2 ? [of] : of.flatMap((one, index) => permutations(of.toSpliced(index, 1)).map((rest) => [one, ...rest]))

  it.each(permutations(orders))('%s, %s, %s, %s at once: one wins, and nobody is told otherwise', async (...order) => {
    for (const gap of [0, 1, 2, 3]) {
      table.settled.length = 0
      const { notice, settlement, withdraw } = await ask()
      const acts: Record<string, () => Promise<unknown>> = {
        approve: () => refusal(reviews.decide(notice.review, who('dora'), 'approve', '')),
        deny: () => refusal(reviews.decide(notice.review, who('dan'), 'deny', '')),
        withdraw: () => Promise.resolve(withdraw.abort()),
        expire: () => vi.advanceTimersByTimeAsync(60_000),
      }
      const running: Promise<unknown>[] = []
      for (const name of order) {
        running.push(acts[name]?.() ?? Promise.resolve())
        for (let turn = 0; turn < gap; turn += 1) await Promise.resolve()
      }
      await Promise.all(running)
      const told = await settlement
      const state = (await reviews.get(notice.review))?.state
      expect(table.settled).toEqual([state])
      // Where the caller left before being told, a settlement says denied, whatever the table says.
      if (told.kind === 'approved') expect(state).toBe('approved')
    }
  })

  it('a caller who left before the approval was read does not have the statement run', async () => {
    const { notice, settlement, withdraw } = await ask()
    await table.addDecision(notice.review, { reviewer: 'dora', kind: 'approve', reason: '', at: new Date(), groups: ['dba'] })
    await table.settle(notice.review, 'approved', new Date())
    withdraw.abort()
    expect(await settlement).toEqual({
      kind: 'denied',
      cause: 'review-withdrawn',
      reason: 'the caller withdrew it',
      reviewers: ['dora'],
      review: notice.review,
    })
  })

  it('approval against time alone: the statement runs exactly where the table says approved', async () => {
    const seen = new Set<string>()
    for (let gap = 0; gap < 12; gap += 1) {
      const { notice, settlement } = await ask()
      const passing = vi.advanceTimersByTimeAsync(60_000)
      for (let turn = 0; turn < gap; turn += 1) await Promise.resolve()
      await refusal(reviews.decide(notice.review, who('dora'), 'approve', ''))
      await passing
      await vi.advanceTimersByTimeAsync(10_000)
      const told = await settlement
      const state = (await reviews.get(notice.review))?.state ?? ''
      seen.add(state)
      expect(told.kind === 'approved').toBe(state === 'approved')
    }
    expect(seen.size).toBeGreaterThan(0)
  })
})

describe('trouble denies', () => {
  it('where the review cannot be kept', async () => {
    table.broken = 'insert'
    expect(await (await ask()).settlement).toMatchObject({ kind: 'denied', cause: 'review-denied' })
    expect(logged).toEqual(['a review could not be kept'])
  })

  it('where it cannot be read again', async () => {
    const { notice, settlement } = await ask()
    table.broken = 'get'
    await vi.advanceTimersByTimeAsync(10_001)
    expect((await settlement).kind).toBe('denied')
    expect(table.records.get(notice.review)?.state).toBe('withdrawn')
  })

  it('where it cannot be settled', async () => {
    const { settlement } = await ask()
    table.broken = 'settle'
    await vi.advanceTimersByTimeAsync(60_001)
    expect((await settlement).kind).toBe('denied')
  })

  it('where it is gone', async () => {
    const { notice, settlement } = await ask()
    table.records.delete(notice.review)
    await vi.advanceTimersByTimeAsync(10_001)
    expect((await settlement).kind).toBe('denied')
  })

  it('where the caller cannot be told', async () => {
    const settlement = reviews.ask(
      { session: 's', identity: bot, target, statement, asks: [dba()] },
      {
        signal: new AbortController().signal,
        onWait: () => {
          throw new Error('the connection is gone')
        },
      },
    )
    expect((await settlement).kind).toBe('denied')
    expect([...table.records.values()].map(({ state }) => state)).toEqual(['withdrawn'])
  })

  it('where nobody is asked', async () => {
    expect(await (await ask([])).settlement).toMatchObject({ kind: 'denied', reason: 'nobody is asked' })
  })
})
