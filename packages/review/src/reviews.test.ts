// Who may agree, how many must, to what, and how much may wait. The clock is the test's.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { bindingOf } from './quorum.js'
import { askOf, dba, MemoryTable, openReviews, refusal, statement, who } from './review.fixture.js'
import type { ReviewAsk, ReviewRecord } from '@sallyport/core'
import type { Reviewer } from './quorum.js'
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

describe('asking', () => {
  it('tells the caller what waits, who may approve, where and how', async () => {
    const { notice, withdraw, settlement } = await ask([
      dba(2),
      { ...dba(), rule: 'nights', reviewers: { groups: [], names: ['zoe'], count: 1 } },
    ])
    expect(notice.address).toBe(`http://127.0.0.1:7080/reviews/${notice.review}`)
    expect(notice.text).toContain('statement 7 waits')
    expect(notice.text).toContain('2 people of dba, and 1 person named zoe')
    expect(notice.text).toContain('within 60 s')
    expect(notice.text).toContain(`sallyport reviews approve ${notice.review}`)
    expect(await reviews.get(notice.review)).toMatchObject({
      state: 'open',
      binding: bindingOf({ text: statement.text, parameters: ['1'], target: 'orders', identity: 'bot', onBehalfOf: 'ada' }),
    })
    withdraw.abort()
    await settlement
  })

  it('is approved by a member of the group', async () => {
    const { notice, settlement } = await ask()
    expect(await reviews.decide(notice.review, who('dora', ['dba', 'staff']), 'approve', 'fine')).toMatchObject({
      state: 'approved',
      decisions: [{ reviewer: 'dora', groups: ['dba'] }],
    })
    expect(await settlement).toEqual({ kind: 'approved', reviewers: ['dora'] })
  })

  it('is denied by one, whoever agreed before', async () => {
    const { notice, settlement } = await ask([dba(2)])
    await reviews.decide(notice.review, who('dora'), 'approve', '')
    await reviews.decide(notice.review, who('dan'), 'deny', 'not today')
    expect(await settlement).toEqual({
      kind: 'denied',
      cause: 'review-denied',
      reason: 'dan said no: not today',
      reviewers: ['dora', 'dan'],
      review: notice.review,
    })
  })

  it('counts distinct people for each ask', async () => {
    const security: ReviewAsk = {
      rule: 'pii',
      reason: 'Why?',
      reviewers: { groups: ['security'], names: [], count: 1 },
      withinMs: 60_000,
    }
    const { notice, settlement } = await ask([dba(2), security])
    // One person in both groups is one person.
    await reviews.decide(notice.review, who('dora', ['dba', 'security']), 'approve', '')
    expect((await reviews.get(notice.review))?.state).toBe('open')
    expect(await refusal(reviews.decide(notice.review, who('dora', ['dba']), 'approve', ''))).toBe('decided-already')
    expect((await reviews.get(notice.review))?.decisions).toHaveLength(1)
    await reviews.decide(notice.review, who('dan', ['dba']), 'approve', '')
    expect(await settlement).toEqual({ kind: 'approved', reviewers: ['dora', 'dan'] })
  })

  it('needs every ask met', async () => {
    const { notice, settlement, withdraw } = await ask([dba(), { ...dba(), reviewers: { groups: [], names: ['zoe'], count: 1 } }])
    await reviews.decide(notice.review, who('dora'), 'approve', '')
    await reviews.decide(notice.review, who('dan'), 'approve', '')
    expect((await reviews.get(notice.review))?.state).toBe('open')
    await reviews.decide(notice.review, who('zoe', []), 'approve', '')
    expect((await settlement).kind).toBe('approved')
    withdraw.abort()
  })

  it('lets an administrator count as one, and nobody who only has a group of that name', async () => {
    const { notice, settlement } = await ask([dba(2)])
    expect(await refusal(reviews.decide(notice.review, who('eve', ['admin', 'admin (operator)']), 'approve', ''))).toBe(
      'not-a-reviewer',
    )
    const decided = await reviews.decide(notice.review, who('root', [], true), 'approve', '')
    expect(decided).toMatchObject({ state: 'open', decisions: [{ groups: ['admin (operator)'] }] })
    await reviews.decide(notice.review, who('dora'), 'approve', '')
    expect((await settlement).kind).toBe('approved')
  })

  it('a group named like the mark of an administrator carries nothing from one ask to another', async () => {
    const everyone: ReviewAsk = { ...dba(), rule: 'any', reviewers: { groups: ['*'], names: [], count: 1 } }
    const { notice, settlement, withdraw } = await ask([dba(), everyone])
    await reviews.decide(notice.review, who('eve', ['staff', 'admin (operator)']), 'approve', '')
    expect((await reviews.get(notice.review))?.state).toBe('open')
    withdraw.abort()
    await settlement
  })
})

describe('who may not decide', () => {
  it.each<[string, Reviewer, string]>([
    ['the caller', who('bot', ['dba']), 'own-review'],
    ['the caller, as administrator', who('bot', [], true), 'own-review'],
    ['the person the caller acts for', who('ada', ['dba']), 'own-review'],
    ['somebody of another group', who('sam', ['sales']), 'not-a-reviewer'],
    ['an agent for a reviewer', { ...who('helper', ['dba']), onBehalfOf: 'dora' }, 'not-a-reviewer'],
  ])('%s', async (_, reviewer, code) => {
    const { notice, settlement, withdraw } = await ask()
    expect(await refusal(reviews.decide(notice.review, reviewer, 'approve', ''))).toBe(code)
    expect(await refusal(reviews.decide(notice.review, reviewer, 'deny', ''))).toBe(code)
    expect((await reviews.get(notice.review))?.decisions).toEqual([])
    withdraw.abort()
    expect((await settlement).kind).toBe('denied')
  })

  it('anybody, about what is over, out of time or unknown', async () => {
    const { notice, settlement } = await ask()
    await reviews.decide(notice.review, who('dora'), 'approve', '')
    await settlement
    expect(await refusal(reviews.decide(notice.review, who('dan'), 'deny', ''))).toBe('review-over')
    expect(await refusal(reviews.decide('nothing', who('dan'), 'deny', ''))).toBe('no-such-review')
    const late = await ask()
    vi.setSystemTime(Date.now() + 60_000)
    expect(await refusal(reviews.decide(late.notice.review, who('dan'), 'approve', ''))).toBe('review-over')
    late.withdraw.abort()
    await late.settlement
  })

  it('counts no decision of the caller that got into the table some other way', async () => {
    const { notice, settlement, withdraw } = await ask()
    await table.addDecision(notice.review, { reviewer: 'ada', kind: 'approve', reason: '', at: new Date(), groups: ['dba'] })
    await table.settle(notice.review, 'approved', new Date())
    expect(await settlement).toMatchObject({ kind: 'denied', reason: 'the review was altered after it was opened' })
    withdraw.abort()
  })
})

describe('what was agreed to', () => {
  it.each<[string, Partial<ReviewRecord>]>([
    ['the text', { text: 'drop table orders' }],
    ['the parameters', { parameters: ['2'] }],
    ['the target', { target: 'crm' }],
    ['the identity', { identity: 'eve' }],
    ['the binding', { binding: 'x' }],
  ])('is refused where %s was altered', async (_, change) => {
    const { notice, settlement } = await ask([dba(2)])
    table.alter(notice.review, change)
    await reviews.decide(notice.review, who('dora'), 'approve', '')
    await reviews.decide(notice.review, who('dan'), 'approve', '')
    expect(await settlement).toMatchObject({ kind: 'denied', reason: 'the review was altered after it was opened' })
    expect(logged).toEqual(['a review was altered after it was opened'])
  })

  it('is refused where the table says approved and the decisions do not', async () => {
    const { notice, settlement } = await ask([dba(2)])
    table.alter(notice.review, { asks: [dba(1)], state: 'approved' })
    expect((await settlement).kind).toBe('denied')
  })
})

describe('limits', () => {
  it.each<[string, object, string]>([
    ['a session', { perSession: 1 }, 'too many statements of this session wait for review'],
    ['an identity', { perIdentity: 1 }, 'too many statements of bot wait for review'],
    ['the gateway', { total: 1 }, 'too many statements wait for review on this gateway; try again later'],
  ])('of %s', async (_, limits, reason) => {
    reviews = open(limits)
    const first = await ask()
    expect(await (await ask()).settlement).toMatchObject({ kind: 'denied', reason, review: '' })
    first.withdraw.abort()
    await first.settlement
    const third = await ask()
    expect(third.notice.review).not.toBe('')
    third.withdraw.abort()
    await third.settlement
  })

  it('of what a person can read', async () => {
    const long = { ...statement, parameters: ['x'.repeat(300_000)] }
    expect(await (await ask([dba()], { statement: long })).settlement).toMatchObject({
      kind: 'denied',
      reason: expect.stringContaining('too long to be read') as string,
    })
  })
})

describe('listing', () => {
  it('closes what a node that is gone has left open', async () => {
    const { notice } = await ask()
    const elsewhere = open()
    const record = await elsewhere.get(notice.review)
    expect(record).toBeDefined()
    table.alter(notice.review, { id: notice.review, expiresAt: new Date(Date.now() - 61_000) })
    expect(await elsewhere.list({ state: 'open', limit: 10 })).toEqual([])
    expect((await elsewhere.get(notice.review))?.state).toBe('expired')
  })
})
