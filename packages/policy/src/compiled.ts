// A rule made ready: its criteria compiled once, and how they are held against a statement.

import { Misconfigured } from '@sallyport/core'
import { compileCondition } from './condition.js'
import { anyColumn, certaintyOf, effectCriteria } from './criteria.js'
import { durationMs } from './duration.js'
import { compileExpression } from './expression.js'
import { coversOutput, requestMasks } from './request-criteria.js'
import type { Effect, Statement, StatementKind } from '@sallyport/core'
import type { Condition, Scope } from './condition.js'
import type { EffectCriterion } from './criterion.js'
import type { Expression } from './expression.js'
import type { Rule } from './schema.js'
import type { Certainty } from './unsure.js'

/** Long enough to be seen, short enough that a forgotten client does not hang for a day. */
const defaultWithinMs = 15 * 60_000

export interface CompiledRule {
  readonly rule: Rule
  readonly reason: string
  readonly kinds: readonly StatementKind[] | undefined
  readonly criteria: readonly EffectCriterion[]
  readonly text: Expression | undefined
  readonly when: Condition | undefined
  readonly rowsOver: number | undefined
  readonly withinMs: number
}

/** A rule whose kinds and effect-level criteria hold: what depends on the understanding of a statement alone. */
export interface Match {
  readonly compiled: CompiledRule
  readonly certainty: Exclude<Certainty, 'no'>
  /** The first effect that made the rule match no more surely than this; undefined where the rule names no effect. */
  readonly effect: Effect | undefined
  /** The first effect the rule could be about without being sure; for a mask, what makes it impossible to apply. */
  readonly doubt: Effect | undefined
  /** Columns to mask, in the order they were met. */
  readonly columns: readonly string[]
  /** Effects this rule lets pass where the target's default is to deny. */
  readonly covers: ReadonlySet<Effect>
}

export function compileRule(rule: Rule, index: number): CompiledRule {
  const { what } = rule
  return {
    rule,
    reason: rule.reason ?? defaultReason(rule),
    kinds: what?.kinds,
    criteria: effectCriteria(what, rule.then),
    text: what?.text === undefined ? undefined : compiled(compileExpression, what.text, `rules[${index}].what.text`, rule.name),
    when: rule.when === undefined ? undefined : compiled(compileCondition, rule.when, `rules[${index}].when`, rule.name),
    // A mask cannot be laid over rows that are already out.
    rowsOver: rule.then === 'mask' ? undefined : what?.rowsOver,
    withinMs: (rule.within === undefined ? undefined : durationMs(rule.within)) ?? defaultWithinMs,
  }
}

/** Whether the verdict of this rule depends on more than the statement's understanding. */
export function isConditional(compiledRule: CompiledRule): boolean {
  return compiledRule.text !== undefined || compiledRule.when !== undefined
}

const rowless: readonly StatementKind[] = ['command', 'shell', 'file', 'tunnel']

export function matchEffects(compiledRule: CompiledRule, effects: readonly Effect[], kind: StatementKind): Match | undefined {
  const { rule, kinds, criteria } = compiledRule
  if (kinds !== undefined && !kinds.includes(kind)) return undefined
  // Rows are of queries; a protocol that has none could not count them.
  if (compiledRule.rowsOver !== undefined && rowless.includes(kind)) return undefined
  if (criteria.length === 0) {
    return { compiled: compiledRule, certainty: 'yes', effect: undefined, doubt: undefined, columns: [], covers: new Set(effects) }
  }
  const met: { readonly effect: Effect; readonly certainty: Certainty }[] = []
  for (const effect of effects) {
    const certainty = certaintyFor(compiledRule, effect, kind)
    if (certainty !== 'no') met.push({ effect, certainty })
  }
  if (met.length === 0) return undefined
  const sure = met.find(({ certainty }) => certainty === 'yes')
  const doubt = met.find(({ certainty }) => certainty === 'could')
  const first = sure ?? doubt
  if (first === undefined || (rule.then === 'allow' && sure === undefined)) return undefined
  const columns = rule.then === 'mask' ? met.flatMap(({ effect }) => maskedIn(rule, effect, kind)) : []
  const covers = met.filter(({ effect, certainty }) => lets(rule, effect, certainty)).map(({ effect }) => effect)
  return {
    compiled: compiledRule,
    certainty: sure === undefined ? 'could' : 'yes',
    effect: first.effect,
    doubt: doubt?.effect,
    columns: [...new Set(columns)],
    covers: new Set(covers),
  }
}

/** How surely the rule is about this effect. */
export function certaintyFor(compiledRule: CompiledRule, effect: Effect, kind: StatementKind): Certainty {
  const { rule, criteria } = compiledRule
  // A mask covers what is shown; values that are written are the caller's own. A request that writes is answered like any other.
  if (rule.then === 'mask' && effect.access === 'write' && kind !== 'request' && !coversOutput(rule, kind)) return 'no'
  const certainty = certaintyOf(criteria, effect, kind)
  if (certainty === 'could' && coversOutput(rule, kind)) return 'yes'
  // Only a rule that says so lets pass what nobody understood, however well the name of it fits.
  const vouched = rule.what?.access?.includes('unknown') === true
  return rule.then === 'allow' && effect.access === 'unknown' && !vouched && certainty === 'yes' ? 'could' : certainty
}

/** `text` and `when`; 'error' counts as holding for a rule that restricts, and as not holding for one that allows. */
export type Held = { readonly kind: 'yes' } | { readonly kind: 'no' } | { readonly kind: 'error'; readonly said: string }

export function textHolds(compiledRule: CompiledRule, statement: Statement): Held {
  if (compiledRule.text === undefined) return { kind: 'yes' }
  const found = compiledRule.text(statement.text)
  return found === 'error' ? { kind: 'error', said: 'the text is too long to be searched' } : { kind: found ? 'yes' : 'no' }
}

export function whenHolds(compiledRule: CompiledRule, scope: () => Scope): Held {
  if (compiledRule.when === undefined) return { kind: 'yes' }
  const found = compiledRule.when(scope)
  return typeof found === 'boolean' ? { kind: found ? 'yes' : 'no' } : { kind: 'error', said: found.said }
}

/** Rows before the rule fires: undefined where it is not about rows, or has fired. */
export function rowsLeft(compiledRule: CompiledRule, rows: number | undefined): number | undefined {
  const { rowsOver } = compiledRule
  return rowsOver === undefined || (rows !== undefined && rows > rowsOver) ? undefined : rowsOver
}

function maskedIn(rule: Rule, effect: Effect, kind: StatementKind): readonly string[] {
  if (kind === 'request') return requestMasks(rule.what)
  const detectors = (rule.what?.detectors ?? []).map((name) => `@${name}`)
  return [...anyColumn(rule.what?.columns ?? [], effect), ...detectors]
}

function lets(rule: Rule, effect: Effect, certainty: Certainty): boolean {
  if (rule.then === 'review') return true
  if (rule.then === 'deny' || certainty !== 'yes') return false
  if (rule.then === 'allow' || effect.request !== undefined) return true
  const masked = anyColumn(rule.what?.columns ?? [], effect)
  return masked.length === (effect.columns ?? []).length
}

function defaultReason(rule: Rule): string {
  return rule.then === 'review' ? 'Someone must agree to this first.' : 'This is not allowed.'
}

function compiled<T>(compile: (text: string) => T, text: string, path: string, name: string): T {
  try {
    return compile(text)
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    throw new Misconfigured('bad-rule', `${path} of rule ${name}: ${said}`, { cause: error })
  }
}
