// Why a statement got its verdict, rule by rule, in words an operator can act on.

import { certaintyFor, matchEffects, rowsLeft, textHolds, whenHolds } from './compiled.js'
import { scopeOf } from './condition.js'
import { inWords } from './verdict.js'
import { holdsAt, holdsFor } from './who-where.js'
import type { Effect, Identity, JudgingFacts, Statement, Target, Verdict } from '@sallyport/core'
import type { CompiledRule, Held } from './compiled.js'
import type { Rule } from './schema.js'

export interface Explanation {
  readonly verdict: Verdict
  /** Every rule, in the operator's order. */
  readonly rules: readonly RuleFinding[]
}

export interface RuleFinding {
  readonly rule: string
  readonly then: Rule['then']
  /** `could`: it counts as matching because something was not understood. `rows`: it would match after more rows. */
  readonly outcome: 'matched' | 'could' | 'rows' | 'not-matched'
  readonly criteria: readonly CriterionFinding[]
}

export interface CriterionFinding {
  readonly criterion: string
  readonly held: boolean
  readonly says: string
}

export function explain(
  compiled: CompiledRule,
  identity: Identity,
  target: Target,
  statement: Statement,
  facts: JudgingFacts,
): RuleFinding {
  const { rule, kinds } = compiled
  const criteria: CriterionFinding[] = []
  const add = (criterion: string, held: boolean, says: string): void => {
    criteria.push({ criterion, held, says })
  }
  if (rule.who !== undefined) {
    const held = holdsFor(rule.who, identity)
    add(
      'who',
      held,
      `${identity.name} (${identity.kind}; groups: ${identity.groups.join(', ') || 'none'}) is ${held ? '' : 'not '}meant`,
    )
  }
  if (rule.where !== undefined) {
    const held = holdsAt(rule.where, target)
    add('where', held, `target ${target.name} is ${held ? '' : 'not '}meant`)
  }
  if (kinds !== undefined) {
    const held = kinds.includes(statement.kind)
    add('kinds', held, `the statement is a ${statement.kind}, the rule names ${kinds.join(', ')}`)
  }
  const match = matchEffects(compiled, statement.effects, statement.kind)
  if (compiled.criteria.length > 0) criteria.push(effectFinding(compiled, statement))
  if (compiled.text !== undefined) criteria.push(conditionFinding('text', textHolds(compiled, statement), rule))
  if (compiled.when !== undefined) {
    criteria.push(
      conditionFinding(
        'when',
        whenHolds(compiled, () => scopeOf(identity, target, statement, facts)),
        rule,
      ),
    )
  }
  const left = rowsLeft(compiled, facts.rows)
  if (compiled.rowsOver !== undefined) {
    add('rowsOver', left === undefined, left === undefined ? `${facts.rows} rows were produced` : `fires after ${left} rows`)
  }
  const holds = criteria.every(({ criterion, held }) => held || criterion === 'rowsOver')
  const matched = left !== undefined ? 'rows' : match?.certainty === 'could' ? 'could' : 'matched'
  // oxlint-disable-next-line unicorn/no-thenable -- the rule language's own word; it is never a function
  return { rule: rule.name, then: rule.then, outcome: holds && match !== undefined ? matched : 'not-matched', criteria }
}

/** The effect-level criteria, held against the effect that comes nearest to all of them. */
function effectFinding(compiled: CompiledRule, statement: Statement): CriterionFinding {
  const { criteria, rule } = compiled
  const named = criteria.map(({ says }) => says).join(', ')
  if (statement.effects.length === 0)
    return { criterion: 'what', held: false, says: `the statement touches nothing; the rule needs ${named}` }
  const judged = statement.effects.map((effect) => ({
    effect,
    certainty: certaintyFor(compiled, effect, statement.kind),
    failing: criteria.filter((criterion) => criterion.holds(effect, statement.kind) === 'no').map(({ says }) => says),
  }))
  const sure = judged.find(({ certainty }) => certainty === 'yes')
  if (sure !== undefined) return { criterion: 'what', held: true, says: `${describe(sure.effect)}: ${named} hold` }
  const could = judged.find(({ certainty }) => certainty === 'could')
  if (could !== undefined) {
    const counts = rule.then === 'allow' ? 'an allow rule does not cover that' : 'it counts as matching'
    return { criterion: 'what', held: rule.then !== 'allow', says: `${describe(could.effect)} was not fully understood: ${counts}` }
  }
  const nearest = judged.toSorted((a, b) => a.failing.length - b.failing.length)[0]
  const why =
    nearest === undefined || nearest.failing.length === 0
      ? 'a mask does not cover writes'
      : `${nearest.failing.join(', ')} does not hold`
  return { criterion: 'what', held: false, says: `${nearest === undefined ? 'no effect' : describe(nearest.effect)}: ${why}` }
}

function conditionFinding(criterion: 'text' | 'when', held: Held, rule: Rule): CriterionFinding {
  if (held.kind === 'error') {
    const counts = rule.then === 'allow' ? 'counts as not holding' : 'counts as holding'
    return { criterion, held: rule.then !== 'allow', says: `could not be evaluated (${held.said}), which ${counts}` }
  }
  const written = criterion === 'text' ? rule.what?.text : rule.when
  return { criterion, held: held.kind === 'yes', says: `${written} ${held.kind === 'yes' ? 'holds' : 'does not hold'}` }
}

function describe(effect: Effect): string {
  const columns = effect.columns === undefined || effect.columns.length === 0 ? '' : ` (${effect.columns.join(', ')})`
  const bounded = effect.bounded === undefined ? '' : effect.bounded ? ', bounded' : ', not bounded'
  return `${effect.access}: ${inWords(effect)}${columns}${bounded}`
}
