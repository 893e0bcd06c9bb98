// One recorded statement, judged again by other rules: the ruling it had, the one it would get, and what of that cannot be known afterwards.

import type { Identity, Judge, RecordedEvent, RecordedRuling, RecordedStatement, Statement, Target, Verdict } from '@sallyport/core'
import type { InForce } from '../start/in-force.js'

export type RecordedStatementEvent = Extract<RecordedEvent, { kind: 'statement' }>

/** A ruling as a backtest compares it: a review is one whoever decided it, and however. */
export interface Ruled {
  readonly kind: 'allow' | 'mask' | 'deny' | 'review'
  /** What decided: names of rules, or in words what decided in place of one. */
  readonly by: string
  readonly columns: readonly string[]
}

/** Why a ruling is a guess: rows nobody counted, effects the catalogue has a say in, masks that may not be possible. */
export type Unsure = 'rows' | 'catalogue' | 'masks'

export type Rejudged =
  | { readonly kind: 'judged'; readonly was: Ruled; readonly would: Ruled; readonly unsure: readonly Unsure[] }
  /** It never had a ruling of rules: it was being judged when its session ended. */
  | { readonly kind: 'not-judged' }

const NO_GRANT: Ruled = { kind: 'deny', by: '(no grant)', columns: [] }
const BY_DEFAULT = '(by default)'

/** What rules may speak of in an event: a statement, or the connecting that no rule had a word on and that is not on record by itself. */
export function judgedIn(event: RecordedEvent): RecordedStatementEvent | undefined {
  if (event.kind === 'statement') return event
  if (event.kind === 'ended' || event.connectRuled) return undefined
  const { cursor, session } = event
  const ruling: RecordedRuling = { kind: 'allow', rule: null, reason: null, reviewers: [], cause: null, masks: [], forwarded: null }
  const nothing = { parameters: [], effects: [], rows: 0, bytes: 0, durationMs: 0, error: null }
  const text = `connect to ${session.target}`
  const statement: RecordedStatement = { id: 0, at: session.startedAt, kind: 'connect', text, ruling, ...nothing }
  return { kind: 'statement', cursor, session, statement }
}

export function rejudge({ session, statement }: RecordedStatementEvent, current: InForce): Rejudged {
  const { ruling } = statement
  if (ruling === null || ruling.cause === 'session-ended') return { kind: 'not-judged' }
  const was = recordedRuling(ruling)
  // The protocol refused it, whatever the rules say.
  if (ruling.cause === 'not-understood' && ruling.rule === null) return { kind: 'judged', was, would: was, unsure: [] }
  const recorded = identityOf(session)
  const target = current.targets.find(({ name }) => name === session.target)
  if (target === undefined || !current.granted(recorded, target)) return { kind: 'judged', was, would: NO_GRANT, unsure: [] }
  const again = judged(asStatement(statement), statement.at, current.judgeFor(recorded, target), {
    rows: statement.rows ?? 0,
    ran: ruling.kind !== 'deny' && statement.error === null && statement.durationMs !== null,
  })
  const would = needingRule(statement.kind, again.verdict, target)
  // What could not be masked then cannot be now: the same names stand for the same things.
  const unmaskable = ruling.cause === 'not-maskable' && would.kind === 'mask'
  return {
    kind: 'judged',
    was,
    would: unmaskable ? { ...would, kind: 'deny' } : would,
    unsure: [...again.unsure, ...(would.kind === 'mask' && was.kind !== 'mask' && !unmaskable ? (['masks'] as const) : [])],
  }
}

/** Columns count for masks alone; by which rule the same comes about does not. */
export function differs({ was, would }: { readonly was: Ruled; readonly would: Ruled }): boolean {
  if (was.kind !== would.kind) return true
  return was.kind === 'mask' && was.columns.join('\n') !== would.columns.join('\n')
}

function identityOf(session: RecordedStatementEvent['session']): Identity {
  const { identity: name, kind, groups, onBehalfOf } = session
  const known = kind === 'person' || kind === 'service' ? kind : 'agent'
  return { id: name, name, kind: known, groups, ...(onBehalfOf === null ? {} : { onBehalfOf }) }
}

/** Recorded by this house, and read as it was written. */
function asStatement({ id, kind, text, parameters, effects }: RecordedStatementEvent['statement']): Statement {
  return { id, kind, text, parameters, effects, held: true }
}

function judged(
  statement: Statement,
  at: string,
  judge: Judge,
  { rows, ran }: { readonly rows: number; readonly ran: boolean },
): { readonly verdict: Verdict; readonly unsure: readonly Unsure[] } {
  const nowMs = Date.parse(at)
  let verdict = judge.evaluate(statement, { nowMs })
  let limit = rowLimit(verdict)
  // What rows decide is asked again at each limit they passed, as it is while a result comes.
  let upTo = -1
  while (limit !== undefined && limit > upTo && rows > limit) {
    upTo = limit
    verdict = judge.evaluate(statement, { nowMs, rows: limit + 1 })
    limit = rowLimit(verdict)
  }
  const writes = statement.effects.some(({ access }) => access === 'write')
  const guessedRows = (limit !== undefined && !ran) || (upTo >= 0 && writes)
  const guessedNames = statement.effects.some(({ access, object }) => access === 'unknown' || object.startsWith('?.'))
  return { verdict, unsure: [...(guessedRows ? (['rows'] as const) : []), ...(guessedNames ? (['catalogue'] as const) : [])] }
}

function rowLimit(verdict: Verdict): number | undefined {
  const allowed = verdict.kind === 'review' ? verdict.then : verdict
  return allowed.kind === 'deny' ? undefined : allowed.rowsUpTo
}

function recordedRuling({ kind, rule, cause, reviewers, masks }: RecordedRuling): Ruled {
  const columns = maskedColumns(masks)
  if (reviewers.length > 0 || cause?.startsWith('review-') === true) return { kind: 'review', by: rule ?? BY_DEFAULT, columns }
  if (kind === 'mask') return { kind, by: namesOf(masks), columns }
  return { kind: kind === 'allow' ? 'allow' : 'deny', by: rule ?? BY_DEFAULT, columns }
}

/** Forwarding stays off where no rule allows it, also on a target that allows by default. */
function needingRule(kind: string, verdict: Verdict, target: Target): Ruled {
  if (kind === 'tunnel' && verdict.kind === 'allow' && verdict.rule === null && target.protocol === 'ssh')
    return { kind: 'deny', by: BY_DEFAULT, columns: [] }
  if (verdict.kind === 'review') {
    const { asks, then } = verdict
    return {
      kind: 'review',
      by: asks.map(({ rule }) => rule).join(', '),
      columns: then.kind === 'mask' ? maskedColumns(then.masks) : [],
    }
  }
  if (verdict.kind === 'mask') return { kind: 'mask', by: namesOf(verdict.masks), columns: maskedColumns(verdict.masks) }
  return { kind: verdict.kind, by: verdict.rule ?? BY_DEFAULT, columns: [] }
}

type Masks = readonly { readonly column: string; readonly with: string; readonly rule: string }[]

const maskedColumns = (masks: Masks): readonly string[] => masks.map(({ column, with: how }) => `${column} ${how}`).toSorted()
const namesOf = (masks: Masks): string => [...new Set(masks.map(({ rule }) => rule))].join(', ')
