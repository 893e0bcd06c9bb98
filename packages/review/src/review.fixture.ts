// What the tests of reviews share: a table in memory, a question, and who asks and answers.

import { Denied } from '@sallyport/core'
import type {
  Decision,
  Identity,
  ReviewAsk,
  ReviewNotice,
  ReviewRecord,
  ReviewState,
  Settlement,
  Statement,
  Target,
} from '@sallyport/core'
import { createReviews } from './reviews.js'
import type { Reviewer } from './quorum.js'
import type { ReviewTable } from './review.js'
import type { ReviewLimits, Reviews } from './reviews.js'

/** A table that keeps the port's promises: decisions and settlements are atomic, changes are told a little later, to every node. */
export class MemoryTable implements ReviewTable {
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

export const bot: Identity = { id: 'bot', name: 'bot', kind: 'agent', groups: ['agents'], onBehalfOf: 'ada' }
export const target: Target = {
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
export const statement: Statement = {
  id: 7,
  kind: 'query',
  text: 'delete from orders where id = $1',
  parameters: ['1'],
  effects: [{ access: 'write', verb: 'delete', object: 'public.orders', bounded: true }],
  held: true,
}
export const dba = (count = 1, withinMs = 60_000): ReviewAsk => ({
  rule: 'deletes',
  reason: 'Why?',
  reviewers: { groups: ['dba'], names: [], count },
  withinMs,
})
export const who = (name: string, groups: readonly string[] = ['dba'], admin = false): Reviewer => ({ name, groups, admin })

export function openReviews(table: ReviewTable, logged: string[], limits: Partial<ReviewLimits> = {}): Reviews {
  return createReviews({
    table,
    consoleAddress: () => 'http://127.0.0.1:7080',
    now: Date.now,
    limits,
    log: (_, message) => logged.push(message),
  })
}

export interface Asked {
  readonly settlement: Promise<Settlement>
  readonly notice: ReviewNotice
  readonly withdraw: AbortController
}

/** Asks, and waits until the review is open or refused. */
export async function askOf(
  reviews: Reviews,
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

export const refusal = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => undefined,
    (error: unknown) => (error instanceof Denied ? error.code : error),
  )
