// What the rows of a session say, told from its frames alone. The one place that derives them: shipping writes what this says, and
// verify compares what is written with what this says.

import type { Outcome, Ruling, Statement } from '@sallyport/core'
import type { RecordedFrame } from './decode.js'
import type { StatementOutcome, StatementPatch, StatementRow, StatementRuling } from './shipped.js'

/** A session's own counters and end. */
export interface Tally {
  statements: number
  denied: number
  bytes: number
  highestStatement: number
  lastAt: number
  endedAt: number | null
  outcome: string | null
}

/** Rows that begin in these frames, and what these frames add to rows that began before them. */
export interface RowChanges {
  readonly statements: Map<number, StatementRow>
  readonly patches: Map<number, StatementPatch>
}

export function newTally(): Tally {
  return { statements: 0, denied: 0, bytes: 0, highestStatement: -1, lastAt: 0, endedAt: null, outcome: null }
}

export function newChanges(): RowChanges {
  return { statements: new Map(), patches: new Map() }
}

function rulingOf(ruling: Ruling, reviewers: readonly string[], forwarded: string | undefined): StatementRuling {
  const denied = ruling.kind === 'deny'
  return {
    kind: ruling.kind,
    cause: denied ? ruling.cause : null,
    rule: ruling.rule,
    reason: denied ? ruling.reason : null,
    reviewers,
    masks: ruling.kind === 'mask' ? ruling.masks : [],
    forwarded: forwarded ?? null,
  }
}

/** A count that is none would be refused by the database, and with it everything that is shipped beside it. */
const counted = (count: number): number => (Number.isFinite(count) ? Math.trunc(count) : 0)

function outcomeOf(outcome: Outcome): StatementOutcome {
  const { durationMs } = outcome
  return {
    rows: counted(outcome.rows),
    bytes: counted(outcome.bytes),
    durationMs: Number.isFinite(durationMs) ? durationMs : 0,
    error: outcome.error ?? null,
  }
}

function begin(session: string, at: number, statement: Statement): StatementRow {
  return {
    session,
    number: statement.id,
    at,
    kind: statement.kind,
    text: statement.text,
    parameters: statement.parameters,
    effects: statement.effects,
    held: statement.held,
    provenance: statement.provenance ?? null,
    ruling: null,
    outcome: null,
  }
}

type Later = { readonly ruling: StatementRuling } | { readonly outcome: StatementOutcome }

/** The last word counts: a statement that reaches its row limit is ruled on again. */
function add(changes: RowChanges, session: string, number: number, highest: number, later: Later): void {
  const row = changes.statements.get(number)
  if (row !== undefined) {
    changes.statements.set(number, { ...row, ...later })
    return
  }
  // What is said of a statement that was never recorded has no row to go to; the frame itself is kept.
  if (number > highest) return
  const patch = changes.patches.get(number) ?? { session, number, ruling: null, outcome: null }
  changes.patches.set(number, { ...patch, ...later })
}

/** Merges into `row` what later frames said of it. */
export function patched(row: StatementRow, patch: StatementPatch): StatementRow {
  return { ...row, ruling: patch.ruling ?? row.ruling, outcome: patch.outcome ?? row.outcome }
}

export function deriveRows(session: string, tally: Tally, changes: RowChanges, frame: RecordedFrame): void {
  tally.lastAt = frame.at
  switch (frame.kind) {
    case 'bytes':
      tally.bytes += frame.bytes.length
      return
    case 'statement': {
      const { statement } = frame
      if (statement.kind !== 'connect') tally.statements += 1
      // Numbers only grow; a second frame of the same number would be a bug, and the first is the one that was ruled on.
      if (statement.id <= tally.highestStatement) return
      tally.highestStatement = statement.id
      changes.statements.set(statement.id, begin(session, frame.at, statement))
      return
    }
    case 'ruling':
      if (frame.ruling.kind === 'deny') tally.denied += 1
      add(changes, session, frame.statement, tally.highestStatement, {
        ruling: rulingOf(frame.ruling, frame.reviewers, frame.forwarded),
      })
      return
    case 'outcome':
      add(changes, session, frame.statement, tally.highestStatement, { outcome: outcomeOf(frame) })
      return
    case 'closed':
      tally.endedAt = frame.at
      tally.outcome = frame.outcome
      return
    case 'opened':
    case 'started':
    case 'mark':
      return
  }
}
