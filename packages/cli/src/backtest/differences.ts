// What other rules would change, counted as it comes: by rule, and the first so many statements in full. Of a fixed size, however much is read.

import type { RecordedStatementEvent, Rejudged, Ruled, Unsure } from './rejudge.js'
import { differs } from './rejudge.js'

export interface Difference {
  readonly session: string
  readonly statement: number
  readonly at: string
  readonly identity: string
  readonly onBehalfOf: string | null
  readonly target: string
  readonly kind: string
  readonly text: string
  readonly was: Ruled
  readonly would: Ruled
  /** Why this is a guess; empty where it is not. */
  readonly unsure: readonly Unsure[]
}

export interface RuleCount {
  readonly was: Ruled['kind']
  readonly wasBy: string
  readonly would: Ruled['kind']
  readonly wouldBy: string
  readonly statements: number
}

export interface Backtest {
  readonly statements: number
  readonly sessions: number
  readonly unchanged: number
  readonly changed: number
  /** Had no ruling of rules: their session ended before. */
  readonly notJudged: number
  readonly byKind: Readonly<Record<string, { readonly statements: number; readonly changed: number }>>
  readonly byRule: readonly RuleCount[]
  readonly differences: readonly Difference[]
  /** There are more differences than are listed. */
  readonly more: boolean
  /** How many of the changed are guesses, and why. */
  readonly unsure: Readonly<Record<Unsure, number>>
}

/** Rules are at most a few thousand, pairs of them that differ far fewer; beyond this they are counted together. */
const MOST_PAIRS = 10_000
/** Beyond it sessions are no longer told apart: the count stays at this. */
const MOST_SESSIONS = 100_000
const SHOWN_CHARACTERS = 2_000

export class Differences {
  readonly #most: number
  readonly #listed: Difference[] = []
  readonly #byRule = new Map<string, { pair: Omit<RuleCount, 'statements'>; statements: number }>()
  readonly #byKind = new Map<string, { statements: number; changed: number }>()
  readonly #sessions = new Set<string>()
  readonly #unsure: Record<Unsure, number> = { rows: 0, catalogue: 0, masks: 0 }
  #statements = 0
  #changed = 0
  #notJudged = 0

  constructor(most: number) {
    this.#most = most
  }

  add(event: RecordedStatementEvent, rejudged: Rejudged): void {
    const { session, statement } = event
    this.#statements += 1
    if (this.#sessions.size < MOST_SESSIONS) this.#sessions.add(session.id)
    const kind = this.#kind(statement.kind)
    kind.statements += 1
    if (rejudged.kind === 'not-judged') {
      this.#notJudged += 1
      return
    }
    if (!differs(rejudged)) return
    const { was, would, unsure } = rejudged
    kind.changed += 1
    this.#changed += 1
    for (const each of unsure) this.#unsure[each] += 1
    this.#count(was, would)
    if (this.#listed.length >= this.#most) return
    const { identity, onBehalfOf, target } = session
    const { id, at, text } = statement
    const shown = text.slice(0, SHOWN_CHARACTERS)
    const what = { session: session.id, statement: id, at, identity, onBehalfOf, target, kind: statement.kind, text: shown }
    this.#listed.push({ ...what, was, would, unsure })
  }

  result(): Backtest {
    return {
      statements: this.#statements,
      sessions: this.#sessions.size,
      unchanged: this.#statements - this.#changed - this.#notJudged,
      changed: this.#changed,
      notJudged: this.#notJudged,
      byKind: Object.fromEntries(this.#byKind),
      byRule: [...this.#byRule.values()]
        .map(({ pair, statements }) => ({ ...pair, statements }))
        .toSorted((one, two) => two.statements - one.statements),
      differences: this.#listed,
      more: this.#changed > this.#listed.length,
      unsure: this.#unsure,
    }
  }

  #kind(name: string): { statements: number; changed: number } {
    const known = this.#byKind.get(name) ?? { statements: 0, changed: 0 }
    this.#byKind.set(name, known)
    return known
  }

  #count(was: Ruled, would: Ruled): void {
    const by = (ruled: Ruled): string => (this.#byRule.size < MOST_PAIRS ? ruled.by : '(others)')
    const pair = { was: was.kind, wasBy: by(was), would: would.kind, wouldBy: by(would) }
    const key = JSON.stringify(pair)
    const known = this.#byRule.get(key) ?? { pair, statements: 0 }
    known.statements += 1
    this.#byRule.set(key, known)
  }
}
