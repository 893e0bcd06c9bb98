// The criteria of `what` that look at one effect. All that a rule names must hold for the same effect.

import { matchesAnyName } from '@sallyport/core'
import { matchesAnyPartly, matchesAnyUnsureName, isUnsure, leastSure, surest } from './unsure.js'
import { isOfShell, shellCriteria } from './shell-criteria.js'
import { requestCriteria } from './request-criteria.js'
import type { Effect, StatementKind } from '@sallyport/core'
import type { EffectCriterion } from './criterion.js'
import type { Certainty } from './unsure.js'
import type { Rule, What } from './schema.js'

/** Who reads the criteria, and so which way doubt falls. */
type Then = Rule['then']

export function effectCriteria(what: What | undefined, then: Then): readonly EffectCriterion[] {
  if (what === undefined) return []
  const criteria: EffectCriterion[] = []
  const { access, verbs, objects, columns, bounded } = what
  if (access !== undefined) {
    criteria.push({ key: 'access', says: list('access', access), holds: doubtful((effect) => access.includes(effect.access)) })
  }
  if (verbs !== undefined) {
    // Verbs are the gateway's own words, always in lower case.
    const lower = verbs.map((verb) => verb.toLowerCase())
    criteria.push({ key: 'verbs', says: list('verbs', verbs), holds: doubtful((effect) => matchesAnyName(lower, effect.verb)) })
  }
  if (objects !== undefined) {
    const doubt = doubtful((effect) => matchesAnyUnsureName(objects, effect.object))
    const holds = (effect: Effect): Certainty =>
      isOfShell(effect) && effect.opaque !== true ? matchesAnyPartly(objects, effect.object) : doubt(effect)
    criteria.push({ key: 'objects', says: list('objects', objects), holds })
  }
  if (columns !== undefined) {
    criteria.push({ key: 'columns', says: list('columns', columns), holds: ofSql(columnsHold(columns, then)) })
  }
  if (bounded !== undefined) {
    criteria.push({ key: 'bounded', says: `bounded ${bounded}`, holds: ofSql(doubtful((effect) => effect.bounded === bounded)) })
  }
  criteria.push(...shellCriteria(what, then))
  criteria.push(...requestCriteria(what, then))
  return criteria
}

/** Every effect a rule is about is one that its criteria hold for; a rule without such criteria is about the statement itself. */
export function certaintyOf(criteria: readonly EffectCriterion[], effect: Effect, kind: StatementKind): Certainty {
  let certainty: Certainty = 'yes'
  for (const criterion of criteria) {
    const held = criterion.holds(effect, kind)
    // Most rules are not about most statements: this is where they leave.
    if (held === 'no') return 'no'
    if (held === 'could') certainty = 'could'
  }
  return certainty
}

export function anyColumn(patterns: readonly string[], effect: Effect): readonly string[] {
  return (effect.columns ?? []).filter((column) => matchesAnyUnsureName(patterns, column) !== 'no')
}

/** Columns and bounds are of SQL; a program or a file has none. */
function ofSql(holds: EffectCriterion['holds']): EffectCriterion['holds'] {
  return (effect, kind) => (isOfShell(effect) ? 'no' : holds(effect, kind))
}

/** An effect that was not understood could be anything. */
function doubtful(holds: (effect: Effect) => boolean | Certainty): (effect: Effect) => Certainty {
  return (effect) => {
    const found = holds(effect)
    const certainty = typeof found === 'boolean' ? (found ? 'yes' : 'no') : found
    return certainty === 'no' && effect.access === 'unknown' ? 'could' : certainty
  }
}

/**
 * Any of the effect's columns for a rule that restricts, every one for a rule that allows. A mask names concrete columns to the
 * rewriter, so a column of which the schema is not known can never be masked for sure.
 */
function columnsHold(patterns: readonly string[], then: Then): EffectCriterion['holds'] {
  return doubtful((effect) => {
    const columns = effect.columns ?? []
    if (columns.length === 0) return 'no'
    const certainties = columns.map((column) => {
      const certainty = matchesAnyUnsureName(patterns, column)
      return certainty === 'yes' && then === 'mask' && isUnsure(column) ? 'could' : certainty
    })
    if (then === 'allow') return leastSure(certainties)
    // One doubtful column is enough to make a mask doubtful, however sure the others are.
    return then === 'mask' && certainties.includes('could') ? 'could' : surest(certainties)
  })
}

function list(key: string, values: readonly string[]): string {
  return `${key} [${values.join(', ')}]`
}
