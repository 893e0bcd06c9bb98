// Asks people and waits. The table decides every race: a review leaves `open` once, and whoever comes second reads how it ended.

import { randomInt } from 'node:crypto'
import { Denied } from '@sallyport/core'
import { noticeOf } from './notice.js'
import { bindingOf, conclusionOf, groupsThatCount, isOwn, mayDecide } from './quorum.js'
import { denied, settlementOf, withdrawn } from './settlement.js'
import { Wake } from './wake.js'
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
import type { Reviewer } from './quorum.js'
import type { ReviewTable } from './review.js'

export interface Question {
  readonly session: string
  readonly identity: Identity
  readonly target: Target
  readonly statement: Statement
  readonly asks: readonly ReviewAsk[]
}

export interface Reviews {
  /** Never rejects: what goes wrong denies. */
  ask(
    question: Question,
    options: { readonly signal: AbortSignal; readonly onWait: (notice: ReviewNotice) => void },
  ): Promise<Settlement>
  /** Throws Denied, with what is wrong, where this reviewer may not decide this review. */
  decide(id: string, who: Reviewer, kind: Decision['kind'], reason: string): Promise<ReviewRecord>
  get(id: string): Promise<ReviewRecord | undefined>
  list(filter: { readonly state?: ReviewState; readonly limit: number }): Promise<readonly ReviewRecord[]>
  /** Withdraws every review this node waits for. */
  stop(): Promise<void>
}

export interface ReviewLimits {
  readonly perSession: number
  readonly perIdentity: number
  readonly total: number
  /** Characters of text and parameters that a person can be asked to read. */
  readonly length: number
}

export interface ReviewsParts {
  readonly table: ReviewTable
  /** Where the console answers, `http://127.0.0.1:7080`. */
  readonly consoleAddress: () => string
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  readonly limits?: Partial<ReviewLimits>
  readonly log?: (level: 'info' | 'warn' | 'error', message: string, facts: Readonly<Record<string, unknown>>) => void
}

const defaultLimits: ReviewLimits = { perSession: 16, perIdentity: 50, total: 1_000, length: 262_144 }
/** A change whose notice was lost (the listening connection broke) is seen this late at most. */
const pollMs = 10_000
/** An open review this long past its end is nobody's any more: its node is gone. Allows for clocks that differ. */
const abandonedMs = 60_000
const maxReasonLength = 1_000

export function createReviews(parts: ReviewsParts): Reviews {
  return new OpenReviews(parts)
}

class OpenReviews implements Reviews {
  readonly #parts: ReviewsParts
  readonly #limits: ReviewLimits
  readonly #waiting = new Map<string, { readonly session: string; readonly identity: string; readonly wake: Wake }>()
  readonly #settling = new Set<Promise<Settlement>>()
  readonly #stopListening: () => void
  readonly #stopping = new AbortController()

  constructor(parts: ReviewsParts) {
    this.#parts = parts
    this.#limits = { ...defaultLimits, ...parts.limits }
    this.#stopListening = parts.table.onChange((id) => this.#waiting.get(id)?.wake.up())
  }

  ask(question: Question, options: { signal: AbortSignal; onWait: (notice: ReviewNotice) => void }): Promise<Settlement> {
    const record = this.#recordOf(question)
    const signal = AbortSignal.any([options.signal, this.#stopping.signal])
    const refusal = this.#refusalOf(record)
    if (refusal !== undefined) return Promise.resolve(denied('', refusal))
    if (signal.aborted) return Promise.resolve(withdrawn(''))
    const wake = new Wake()
    const wakeUp = (): void => wake.up()
    this.#waiting.set(record.id, { session: record.session, identity: record.identity, wake })
    signal.addEventListener('abort', wakeUp)
    const settling = this.#settle(record, signal, wake, options.onWait).finally(() => {
      this.#waiting.delete(record.id)
      this.#settling.delete(settling)
      signal.removeEventListener('abort', wakeUp)
    })
    this.#settling.add(settling)
    return settling
  }

  async decide(id: string, who: Reviewer, kind: Decision['kind'], reason: string): Promise<ReviewRecord> {
    const { table, now } = this.#parts
    const record = await table.get(id)
    if (record === undefined) throw new Denied('no-such-review', `there is no review ${id}`)
    if (record.state === 'open' && record.expiresAt.getTime() <= now()) {
      throw new Denied('review-over', `review ${id} has run out of time; the statement must be sent again`)
    }
    if (record.state !== 'open') throw new Denied('review-over', `review ${id} is already ${record.state}`)
    if (who.onBehalfOf !== undefined)
      throw new Denied('not-a-reviewer', 'who decides must do so in their own name, not through an agent')
    if (isOwn(record, who.name))
      throw new Denied('own-review', 'nobody may decide about a statement of their own or of their agent')
    const groups = groupsThatCount(who, record.asks)
    if (!record.asks.some((ask) => mayDecide(ask, { reviewer: who.name, groups }))) {
      throw new Denied('not-a-reviewer', `${who.name} is not among those who may decide review ${id}`)
    }
    const decision = { reviewer: who.name, kind, reason: reason.slice(0, maxReasonLength), at: new Date(now()), groups }
    const decided = await table.addDecision(id, decision)
    if (decided === undefined) throw await this.#tooLate(id, who.name)
    const conclusion = conclusionOf(decided)
    if (conclusion !== undefined) await table.settle(id, conclusion, new Date(now()))
    this.#waiting.get(id)?.wake.up()
    return (await table.get(id)) ?? decided
  }

  get(id: string): Promise<ReviewRecord | undefined> {
    return this.#parts.table.get(id)
  }

  async list(filter: { state?: ReviewState; limit: number }): Promise<readonly ReviewRecord[]> {
    const { table, now } = this.#parts
    const found = await table.list(filter)
    const abandoned = found.filter(({ state, expiresAt }) => state === 'open' && expiresAt.getTime() + abandonedMs < now())
    if (abandoned.length === 0) return found
    for (const { id } of abandoned) await table.settle(id, 'expired', new Date(now()))
    return table.list(filter)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#settling)
    this.#stopListening()
  }

  async #settle(
    record: ReviewRecord,
    signal: AbortSignal,
    wake: Wake,
    onWait: (notice: ReviewNotice) => void,
  ): Promise<Settlement> {
    const { table, consoleAddress, log } = this.#parts
    try {
      await table.insert(record)
      onWait(noticeOf(record, consoleAddress()))
      return await this.#outcome(record, signal, wake)
    } catch (error) {
      log?.('error', 'a review could not be kept', { review: record.id, error })
      // Nobody waits for it any more; where even this fails it runs out by itself.
      await table.settle(record.id, 'withdrawn', new Date(this.#parts.now())).catch(() => false)
      return denied(record.id, 'the review could not be kept, so nobody could be asked')
    }
  }

  async #outcome(record: ReviewRecord, signal: AbortSignal, wake: Wake): Promise<Settlement> {
    const { table, now } = this.#parts
    for (;;) {
      const current = await table.get(record.id)
      if (current === undefined) throw new Error('the review is gone from the table')
      if (current.state !== 'open') return this.#told(current, record, signal)
      const ended = this.#endOf(current, record, signal)
      if (ended === undefined) {
        await wake.sleep(Math.max(1, Math.min(pollMs, record.expiresAt.getTime() - now())))
        continue
      }
      await table.settle(record.id, ended, new Date(now()))
      const settled = await table.get(record.id)
      if (settled === undefined || settled.state === 'open') throw new Error('the review did not settle')
      return this.#told(settled, record, signal)
    }
  }

  /** How an open review must end now. A caller who left gets nothing, whoever agreed meanwhile; time that is up is up. */
  #endOf(current: ReviewRecord, record: ReviewRecord, signal: AbortSignal): Exclude<ReviewState, 'open'> | undefined {
    if (signal.aborted) return 'withdrawn'
    if (record.expiresAt.getTime() <= this.#parts.now()) return 'expired'
    return conclusionOf({ ...current, asks: record.asks, identity: record.identity, onBehalfOf: record.onBehalfOf })
  }

  /** A caller who left must not have the statement run behind their back, even where people agreed a moment before. */
  #told(settled: ReviewRecord, record: ReviewRecord, signal: AbortSignal): Settlement {
    const told = settlementOf(settled, record)
    if (settled.state === 'approved' && told.kind === 'denied') {
      this.#parts.log?.('error', 'a review was altered after it was opened', { review: record.id })
    }
    return signal.aborted && told.kind === 'approved' ? withdrawn(record.id, told.reviewers) : told
  }

  #recordOf({ session, identity, target, statement, asks }: Question): ReviewRecord {
    const createdAt = this.#parts.now()
    const withinMs = Math.min(...asks.map((ask) => ask.withinMs))
    const bound = {
      identity: identity.name,
      onBehalfOf: identity.onBehalfOf ?? null,
      target: target.name,
      text: statement.text,
      parameters: statement.parameters,
    }
    return {
      id: newId(),
      session,
      statement: statement.id,
      ...bound,
      effects: statement.effects,
      binding: bindingOf(bound),
      asks,
      createdAt: new Date(createdAt),
      expiresAt: new Date(createdAt + (Number.isFinite(withinMs) ? withinMs : 0)),
      state: 'open',
      decisions: [],
      settledAt: null,
    }
  }

  #refusalOf(record: ReviewRecord): string | undefined {
    const open = [...this.#waiting.values()]
    if (record.asks.length === 0) return 'nobody is asked'
    if (open.length >= this.#limits.total) return 'too many statements wait for review on this gateway; try again later'
    if (open.filter(({ session }) => session === record.session).length >= this.#limits.perSession) {
      return 'too many statements of this session wait for review'
    }
    if (open.filter(({ identity }) => identity === record.identity).length >= this.#limits.perIdentity) {
      return `too many statements of ${record.identity} wait for review`
    }
    const length = record.parameters.reduce((sum, parameter) => sum + (parameter?.length ?? 0), record.text.length)
    return length > this.#limits.length ? `the statement is too long to be read by a person (${length} characters)` : undefined
  }

  async #tooLate(id: string, name: string): Promise<Denied> {
    const record = await this.#parts.table.get(id)
    const before = record?.decisions.find(({ reviewer }) => reviewer === name)
    if (before !== undefined) return new Denied('decided-already', `${name} has already decided review ${id}: ${before.kind}`)
    return new Denied('review-over', `review ${id} is already ${record?.state ?? 'gone'}`)
  }
}

/** Short enough to type; it opens nothing by itself. No letters that read as digits. */
const letters = '23456789abcdefghjkmnpqrstuvwxyz'

function newId(): string {
  return Array.from({ length: 8 }, () => letters.charAt(randomInt(letters.length))).join('')
}
