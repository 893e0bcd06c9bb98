// Who may agree, how many must, and that a review ends once, however many things happen at a time. The clock is the test's.

import { Denied } from '@sallyport/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { bindingOf } from './quorum.js'
import { createReviews } from './reviews.js'
import type { Identity, ReviewAsk, ReviewNotice, Statement, Target } from '@sallyport/core'
import type { Reviewer } from './quorum.js'
import type { Decision, ReviewRecord, ReviewState, ReviewTable, Settlement } from './review.js'
import type { Reviews } from './reviews.js'

/** A table that keeps the port's promises: decisions and settlements are atomic, changes are told a little later, to every node. */
class MemoryTable implements ReviewTable {
  readonly records = new Map<string, ReviewRecord>()
  readonly settled: string[] = []
  broken: 'insert' | 'get' | 'settle' | undefined
  deaf = false
  readonly #listeners = new Set<(id: string) => void>()

  async insert(record: ReviewRecord): Promise<void> {
    await Promise.resolve()
    if (this.broken === 'insert') throw new Error('no database')
    this.records.set(record.id, structuredClone(record))
  }
  async get(id: string): Promise<ReviewRecord | undefined> {
    await Promise.resolve()
    if (this.broken === 'get') throw new Error('no database')
    return structuredClone(this.records.get(id))
  }
  async list(filter: { state?: ReviewState; limit: number }): Promise<readonly ReviewRecord[]> {
    await Promise.resolve()
    return [...this.records.values()]
      .filter(({ state }) => filter.state === undefined || state === filter.state)
      .slice(0, filter.limit)
  }
  async addDecision(id: string, decision: Decision): Promise<ReviewRecord | undefined> {
    await Promise.resolve()
    const record = this.records.get(id)
    if (record === undefined || record.state !== 'open') return undefined
    if (record.decisions.some(({ reviewer }) => reviewer === decision.reviewer)) return undefined
    return this.#put({ ...record, decisions: [...record.decisions, decision] })
  }
  async settle(id: string, state: Exclude<ReviewState, 'open'>, at: Date): Promise<boolean> {
    await Promise.resolve()
    if (this.broken === 'settle') throw new Error('no database')
    const record = this.records.get(id)
    if (record === undefined || record.state !== 'open') return false
    this.settled.push(state)
    this.#put({ ...record, state, settledAt: at })
    return true
  }
  onChange(listener: (id: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  alter(id: string, change: Partial<ReviewRecord>): void {
    const record = this.records.get(id)
    if (record !== undefined) this.#put({ ...record, ...change })
  }
  get listeners(): number {
    return this.#listeners.size
  }
  #put(record: ReviewRecord): ReviewRecord {
    this.records.set(record.id, record)
    if (!this.deaf) for (const listener of this.#listeners) queueMicrotask(() => listener(record.id))
    return structuredClone(record)
  }
}

const bot: Identity = { id: 'bot', name: 'bot', kind: 'agent', groups: ['agents'], onBehalfOf: 'ada' }
const target: Target = {
  name: 'orders',
  protocol: 'postgres',
  address: 'h:1',
  databases: [],
  tls: 'verify',
  labels: {},
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
}
const statement: Statement = {
  id: 7,
  kind: 'query',
  text: 'delete from orders where id = $1',
  parameters: ['1'],
  effects: [{ access: 'write', verb: 'delete', object: 'public.orders', bounded: true }],
  held: true,
}
const dba = (count = 1, withinMs = 60_000): ReviewAsk => ({
  rule: 'deletes',
  reason: 'Why?',
  reviewers: { groups: ['dba'], names: [], count },
  withinMs,
})
const who = (name: string, groups: readonly string[] = ['dba'], admin = false): Reviewer => ({ name, groups, admin })

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

function open(limits: object = {}): Reviews {
  return createReviews({
    table,
    consoleAddress: () => 'http://127.0.0.1:7080',
    now: Date.now,
    limits,
    log: (_, message) => logged.push(message),
  })
}

interface Asked {
  readonly settlement: Promise<Settlement>
  readonly notice: ReviewNotice
  readonly withdraw: AbortController
}

async function ask(
  asks: readonly ReviewAsk[] = [dba()],
  more: { session?: string; identity?: Identity; statement?: Statement } = {},
): Promise<Asked> {
  const withdraw = new AbortController()
  let settlement: Promise<Settlement> | undefined
  const notice = await new Promise<ReviewNotice>((resolve) => {
    const { session = 's1', identity = bot } = more
    settlement = reviews.ask(
      { session, identity, target, statement: more.statement ?? statement, asks },
      { signal: withdraw.signal, onWait: resolve },
    )
    void settlement.then(() => resolve({ review: '', address: '', text: '' }))
  })
  if (settlement === undefined) throw new Error('nothing was asked')
  return { settlement, notice, withdraw }
}

const refusal = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => undefined,
    (error: unknown) => (error instanceof Denied ? error.code : error),
  )

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
