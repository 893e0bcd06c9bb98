// Rules, compiled once, and the judge they make for one identity at one target.

import { compileRule, isConditional, matchEffects, textHolds, whenHolds } from './compiled.js'
import { scopeOf } from './condition.js'
import { explain } from './explain.js'
import { verdictOf } from './verdict.js'
import { holdsAt, holdsFor } from './who-where.js'
import type { Effect, Identity, Judge, JudgingFacts, Statement, StatementKind, Target, Verdict } from '@sallyport/core'
import type { CompiledRule, Held, Match } from './compiled.js'
import type { Scope } from './condition.js'
import type { Explanation } from './explain.js'
import type { Rule } from './schema.js'

export interface Policy {
  judgeFor(identity: Identity, target: Target): Judge
  explain(identity: Identity, target: Target, statement: Statement, facts: JudgingFacts): Explanation
}

/** Throws Misconfigured for a condition or an expression that does not compile. */
export function compilePolicy(rules: readonly Rule[]): Policy {
  const compiled = rules.map(compileRule)
  return {
    judgeFor: (identity, target) => judgeFor(compiled, identity, target),
    explain: (identity, target, statement, facts) => {
      const verdict = judgeFor(compiled, identity, target).evaluate(statement, facts)
      return { verdict, rules: compiled.map((rule) => explain(rule, identity, target, statement, facts)) }
    },
  }
}

/** What is remembered of one understanding. `verdict` is there where nothing else can change it. */
interface Understood {
  readonly kind: StatementKind
  readonly matches: readonly Match[]
  readonly verdict: Verdict | undefined
}

function judgeFor(all: readonly CompiledRule[], identity: Identity, target: Target): Judge {
  const rules = all.filter(({ rule }) => holdsFor(rule.who, identity) && holdsAt(rule.where, target))
  const remembered = new WeakMap<readonly Effect[], Understood>()

  const understand = (statement: Statement): Understood => {
    const known = remembered.get(statement.effects)
    if (known?.kind === statement.kind) return known
    const { effects, kind } = statement
    const matches = rules.map((rule) => matchEffects(rule, effects, kind)).filter((match) => match !== undefined)
    const fixed = !matches.some((match) => isConditional(match.compiled))
    const understood = { kind, matches, verdict: fixed ? verdictOf(matches, effects, target, {}) : undefined }
    remembered.set(effects, understood)
    return understood
  }

  return {
    mayMask: rules.some(({ rule }) => rule.then === 'mask'),
    mayRule: rules.length > 0 || target.default === 'deny',
    evaluate: (statement, facts) => {
      const { matches, verdict } = understand(statement)
      if (verdict !== undefined && facts.rows === undefined) return verdict
      const scope = once(() => scopeOf(identity, target, statement, facts))
      const holding = matches.filter((match) => conditionsHold(match.compiled, statement, scope))
      return verdictOf(holding, statement.effects, target, facts)
    },
  }
}

function conditionsHold(compiled: CompiledRule, statement: Statement, scope: () => Scope): boolean {
  const counts = (held: Held): boolean => held.kind === 'yes' || (held.kind === 'error' && compiled.rule.then !== 'allow')
  return counts(textHolds(compiled, statement)) && counts(whenHolds(compiled, scope))
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
