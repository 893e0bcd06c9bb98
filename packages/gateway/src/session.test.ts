import { Denied } from '@sallyport/core'
import type { Frame, Judge, Ruling, Settlement, Statement, Target, Verdict } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { LiveSession } from './session.js'
import type { Reviews } from './session.js'

const target: Target = {
  name: 'orders',
  protocol: 'postgres',
  address: 'db:5432',
  databases: [],
  tls: 'verify',
  labels: {},
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
}
const statement: Statement = { id: 1, kind: 'query', text: 'select 1', parameters: [], effects: [], held: true }
const allow: Ruling = { kind: 'allow', rule: null }
const deny: Ruling = { kind: 'deny', cause: 'rule', rule: 'no', reason: 'because' }
const mask: Ruling = { kind: 'mask', rule: 'm', masks: [{ column: 'a.b.c', with: 'redact', rule: 'm' }] }
const review = (then: typeof allow | typeof mask): Verdict => ({
  kind: 'review',
  asks: [{ rule: 'ask', reason: '', reviewers: { groups: ['dba'], names: [], count: 1 }, withinMs: 1000 }],
  then: then as typeof allow & { kind: 'allow' },
})

function session(
  verdicts: Verdict[],
  settle: (signal: AbortSignal) => Promise<Settlement> = () => Promise.reject(new Error('not asked')),
) {
  const frames: Frame[] = []
  let at = 0
  const judge: Judge = { mayMask: true, mayRule: true, evaluate: () => verdicts[Math.min(at++, verdicts.length - 1)] }
  const reviews: Reviews = { ask: (_question, options) => settle(options.signal) }
  const live = new LiveSession({
    id: 's1',
    identity: { id: 'i', name: 'agent', kind: 'agent', groups: [] },
    target,
    client: { address: '127.0.0.1:1', loopback: true, tls: false },
    startedAt: 0,
    tokenId: undefined,
    judgeFor: () => judge,
    credential: () => Promise.resolve({ kind: 'none' }),
    reviews,
    recording: { append: (frame) => void frames.push(frame), settled: () => undefined, close: () => Promise.resolve() },
    onClose: () => {},
  })
  const recorded = (): string[] =>
    frames.map((frame) => (frame.kind === 'ruling' ? `ruling ${frame.ruling.kind} ${frame.reviewers.join()}`.trim() : frame.kind))
  return { live, frames, recorded }
}

const approved = (): Promise<Settlement> => Promise.resolve({ kind: 'approved', reviewers: ['anna'] })

describe('judging', () => {
  it('has statement and ruling on record before it answers, at once', () => {
    const { live, recorded } = session([allow])
    expect(live.judge(statement)).toEqual(allow)
    expect(recorded()).toEqual(['statement', 'ruling allow'])
  })

  it('records a denial too', () => {
    const { live, recorded } = session([deny])
    expect(live.judge(statement)).toEqual(deny)
    expect(recorded()).toEqual(['statement', 'ruling deny'])
  })

  it('denies a mask that the protocol cannot apply', () => {
    const { live } = session([mask])
    expect(live.judge(statement)).toMatchObject({ kind: 'deny', cause: 'not-maskable', rule: 'm' })
    expect(live.judge(statement, { trace: () => ({ kind: 'untraceable', reason: 'a view' }) })).toMatchObject({
      kind: 'deny',
      reason: expect.stringContaining('a view'),
    })
  })

  it('keeps the text that goes on, where it is not the client’s', () => {
    const { live, frames } = session([mask])
    expect(live.judge(statement, { trace: () => ({ kind: 'traced', forwarded: 'select masked' }) })).toEqual(mask)
    expect(frames[1]).toMatchObject({ kind: 'ruling', forwarded: 'select masked' })
  })

  it('puts nothing on record for a Parse that is let through, and asks nobody yet', () => {
    const { live, recorded } = session([review(allow)])
    expect(live.judge(statement, { phase: 'prepare' })).toEqual(allow)
    expect(recorded()).toEqual([])
  })

  it('refuses whatever the rules say when the protocol says so', () => {
    const { live } = session([allow])
    expect(live.judge(statement, { refusal: 'no function calls' })).toMatchObject({ kind: 'deny', reason: 'no function calls' })
  })

  it('asks again for more rows without a second statement on record', () => {
    const { live, recorded } = session([deny])
    expect(live.judge(statement, { rows: 5 })).toEqual(deny)
    expect(recorded()).toEqual(['ruling deny'])
  })
})

describe('review', () => {
  it('has the statement on record while people think, and the ruling with their names after', async () => {
    const { live, recorded } = session([review(allow)], approved)
    const answer = live.judge(statement)
    expect(recorded()).toEqual(['statement'])
    expect(await answer).toMatchObject({ kind: 'allow', rule: 'ask' })
    expect(recorded()).toEqual(['statement', 'ruling allow anna'])
  })

  it('denies what people denied', async () => {
    const settled: Settlement = { kind: 'denied', cause: 'review-denied', reason: 'not today', reviewers: ['anna'], review: 'r1' }
    const { live } = session([review(allow)], () => Promise.resolve(settled))
    expect(await live.judge(statement)).toMatchObject({ kind: 'deny', cause: 'review-denied', reason: 'not today (review r1)' })
  })

  it('denies what rules deny by the time people have approved', async () => {
    const { live } = session([review(allow), deny], approved)
    expect(await live.judge(statement)).toEqual(deny)
  })

  it('denies where the masks changed while people thought', async () => {
    const { live } = session([review(allow), review(mask)], approved)
    expect(await live.judge(statement)).toMatchObject({ kind: 'deny', reason: expect.stringContaining('rules changed') })
  })

  it('is withdrawn when the session ends', async () => {
    const settle = (signal: AbortSignal): Promise<Settlement> =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () =>
          resolve({ kind: 'denied', cause: 'review-withdrawn', reason: 'withdrawn', reviewers: [], review: 'r' }),
        )
      })
    const { live } = session([review(allow)], settle)
    const answer = live.judge(statement)
    setTimeout(() => live.end(new Denied('session-ended', 'ended')), 1)
    expect(await answer).toMatchObject({ kind: 'deny' })
    expect(live.judge(statement)).toMatchObject({ kind: 'deny', cause: 'session-ended' })
  })
})

describe('the record of a session', () => {
  it('takes nothing after the end', async () => {
    const { live } = session([allow])
    await live.close('done')
    await live.close('again')
    expect(() => live.mark('late', '')).toThrow('the session is over')
  })
})
