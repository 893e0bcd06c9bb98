// One identity on one target through one connection: the order of judging, recording and asking is written here, once.

import { Denied, microseconds, RecordingFailed, Unreachable } from '@sallyport/core'
import type {
  Allowed,
  Asking,
  ClientFacts,
  Credential,
  Denial,
  Endpoint,
  Frame,
  Hop,
  Identity,
  Judge,
  Mask,
  Outcome,
  Recording,
  ReviewAsk,
  ReviewNotice,
  Ruling,
  Session,
  Settled,
  Settlement,
  Side,
  Statement,
  Target,
  Traced,
  Upstream,
  Verdict,
} from '@sallyport/core'
import { dialTcp, endpointOf, leadsHome } from './dialing.js'

export interface Reviews {
  ask(
    question: {
      readonly session: string
      readonly identity: Identity
      readonly target: Target
      readonly statement: Statement
      readonly asks: readonly ReviewAsk[]
    },
    options: { readonly signal: AbortSignal; readonly onWait: (notice: ReviewNotice) => void },
  ): Promise<Settlement>
}

export interface SessionParts {
  readonly id: string
  readonly identity: Identity
  readonly target: Target
  readonly client: ClientFacts
  readonly startedAt: number
  readonly tokenId: string | undefined
  /** Asked for each statement, so that changed rules count from the next one on. */
  readonly judgeFor: () => Judge
  readonly credential: () => Promise<Credential>
  /** The targets on the way to this one. */
  readonly hops: () => Promise<readonly Hop[]>
  readonly reviews: Reviews
  readonly recording: Recording
  readonly onClose: () => void
}

export class LiveSession implements Session {
  readonly #parts: SessionParts
  readonly #ending = new AbortController()
  #closed = false

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  get id(): string {
    return this.#parts.id
  }
  get identity(): Identity {
    return this.#parts.identity
  }
  get target(): Target {
    return this.#parts.target
  }
  get client(): ClientFacts {
    return this.#parts.client
  }
  get startedAt(): number {
    return this.#parts.startedAt
  }
  get tokenId(): string | undefined {
    return this.#parts.tokenId
  }
  get signal(): AbortSignal {
    return this.#ending.signal
  }
  get mayMask(): boolean {
    return this.#parts.judgeFor().mayMask
  }
  get mayRule(): boolean {
    return this.#parts.judgeFor().mayRule
  }

  end(error: Error): void {
    this.#ending.abort(error)
  }

  async dial(to?: Endpoint): Promise<Upstream> {
    const { target } = this.#parts
    const credential = await this.#parts.credential()
    const hops = await this.#parts.hops()
    const { host, port } = endpointOf(hops[0]?.target.address ?? target.address, to)
    const stream = await dialTcp(host, port, target.name, this.signal)
    if (to !== undefined && leadsHome(host, stream.remoteAddress ?? '')) {
      stream.destroy()
      throw new Unreachable(
        'target-unreachable',
        `${host} leads to the gateway's own machine or link; no tunnel goes there by a name`,
      )
    }
    return { stream, host, port, database: target.database, credential, ...(hops.length === 0 ? {} : { hops }) }
  }

  credential(): Promise<Credential> {
    return this.#parts.credential()
  }

  foresee(statement: Statement): Verdict {
    return this.signal.aborted ? sessionEnded : this.#evaluate(statement, undefined)
  }

  judge(statement: Statement, asking: Asking = {}): Settled<Ruling> {
    if (this.signal.aborted) return sessionEnded
    const verdict =
      asking.refusal === undefined ? needing(asking.needsRule, this.#evaluate(statement, asking.rows)) : refused(asking.refusal)
    const allowed = verdict.kind === 'review' ? verdict.then : verdict
    if (allowed.kind !== 'mask') return this.#rule(statement, verdict, undefined, asking)
    const traced = asking.trace === undefined ? cannotMask : asking.trace(allowed.masks)
    if (traced instanceof Promise) return traced.then((later) => this.#afterTrace(statement, verdict, allowed, later, asking))
    return this.#afterTrace(statement, verdict, allowed, traced, asking)
  }

  /** Whether any rule has a say in this statement. */
  ruledBy(statement: Statement): boolean {
    const verdict = this.#evaluate(statement, undefined)
    return verdict.kind !== 'allow' || verdict.rule !== null
  }

  record(from: Side, bytes: Uint8Array, channel = 0): void {
    this.#append({ kind: 'bytes', at: microseconds(), channel, from, bytes })
  }

  outcome(outcome: Outcome): void {
    this.#append({ kind: 'outcome', at: microseconds(), ...outcome })
  }

  mark(name: string, detail: string, channel = 0): void {
    this.#append({ kind: 'mark', at: microseconds(), channel, name, detail })
  }

  settled(): Settled<void> {
    return this.#parts.recording.settled()
  }

  async close(outcome: string): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#parts.onClose()
    this.#ending.abort(new Denied('session-ended', 'the session is over'))
    await this.#parts.recording.close(outcome)
  }

  #append(frame: Frame): void {
    if (this.#closed) throw new RecordingFailed('session-closed', 'the session is over; nothing can be added to its record')
    this.#parts.recording.append(frame)
  }

  #evaluate(statement: Statement, rows: number | undefined): Verdict {
    const nowMs = Date.now()
    return this.#parts.judgeFor().evaluate(statement, rows === undefined ? { nowMs } : { nowMs, rows })
  }

  #afterTrace(
    statement: Statement,
    verdict: Verdict,
    mask: Allowed & { kind: 'mask' },
    traced: Traced,
    asking: Asking,
  ): Settled<Ruling> {
    if (traced.kind === 'traced') return this.#rule(statement, verdict, traced.forwarded, asking)
    const columns = [...new Set(mask.masks.map((each) => each.column))].join(', ')
    const reason = `${columns} must be masked, and that cannot be done here: ${traced.reason}`
    return this.#rule(statement, { kind: 'deny', cause: 'not-maskable', rule: mask.rule, reason }, undefined, asking)
  }

  #rule(statement: Statement, verdict: Verdict, forwarded: string | undefined, asking: Asking): Settled<Ruling> {
    const preparing = asking.phase === 'prepare'
    if (verdict.kind === 'review') {
      return preparing ? verdict.then : this.#review(statement, verdict.asks, verdict.then, forwarded, asking)
    }
    if (preparing && verdict.kind !== 'deny') return verdict
    if (asking.rows === undefined) this.#append({ kind: 'statement', at: microseconds(), statement })
    this.#appendRuling(statement.id, verdict, [], forwarded)
    return verdict
  }

  #appendRuling(statement: number, ruling: Ruling, reviewers: readonly string[], forwarded: string | undefined): void {
    const frame: Frame = { kind: 'ruling', at: microseconds(), statement, ruling, reviewers }
    this.#append(forwarded === undefined ? frame : { ...frame, forwarded })
  }

  async #review(
    statement: Statement,
    asks: readonly ReviewAsk[],
    then: Allowed,
    forwarded: string | undefined,
    asking: Asking,
  ): Promise<Ruling> {
    if (asking.rows === undefined) this.#append({ kind: 'statement', at: microseconds(), statement })
    await this.settled()
    const signal = asking.signal === undefined ? this.signal : AbortSignal.any([this.signal, asking.signal])
    const onWait = (notice: ReviewNotice): void => {
      this.mark('review', notice.review)
      asking.onWait?.(notice)
    }
    const { id, identity, target } = this.#parts
    const settlement = await this.#parts.reviews.ask({ session: id, identity, target, statement, asks }, { signal, onWait })
    const ruling = this.#afterReview(statement, settlement, asks, then, asking.rows)
    if (!this.#closed)
      this.#appendRuling(statement.id, ruling, settlement.reviewers, ruling.kind === 'deny' ? undefined : forwarded)
    return ruling
  }

  /** The rules may have changed while people thought: a denial of now outdoes an approval of then, and masks must still be the same. */
  #afterReview(
    statement: Statement,
    settlement: Settlement,
    asks: readonly ReviewAsk[],
    then: Allowed,
    rows: number | undefined,
  ): Ruling {
    const rule = asks[0]?.rule ?? null
    if (settlement.kind === 'denied') {
      const { cause, reason, review } = settlement
      return { kind: 'deny', cause, rule, reason: review === '' ? reason : `${reason} (review ${review})` }
    }
    if (this.signal.aborted) return sessionEnded
    const now = this.#evaluate(statement, rows)
    if (now.kind === 'deny') return now
    const allowedNow = now.kind === 'review' ? now.then : now
    if (sameMasks(allowedNow, then)) return { ...then, rule: then.rule ?? rule } as Allowed
    return { kind: 'deny', cause: 'rule', rule, reason: 'the rules changed while this waited for review', hint: 'Run it again.' }
  }
}

const sessionEnded: Denial = { kind: 'deny', cause: 'session-ended', rule: null, reason: 'the session was ended' }
const cannotMask: Traced = { kind: 'untraceable', reason: 'this kind of statement cannot be masked' }

const refused = (reason: string): Denial => ({ kind: 'deny', cause: 'not-understood', rule: null, reason })

/** What no rule allows stays off where it must be allowed by one. */
function needing(reason: string | undefined, verdict: Verdict): Verdict {
  if (reason === undefined || verdict.kind !== 'allow' || verdict.rule !== null) return verdict
  return { kind: 'deny', cause: 'default', rule: null, reason }
}

function sameMasks(one: Allowed, two: Allowed): boolean {
  const listed = (allowed: Allowed): string =>
    allowed.kind === 'mask' ? JSON.stringify(allowed.masks.map((mask: Mask) => [mask.column, mask.with])) : '[]'
  return listed(one) === listed(two)
}
