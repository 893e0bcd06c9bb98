// The criteria of `what` that look into a request. What a request did not let us see, each of them could be about.

import { matchesAnyName } from '@sallyport/core'
import type { Effect, Mask, RequestFacts, StatementKind } from '@sallyport/core'
import type { EffectCriterion } from './criterion.js'
import type { Rule, What } from './schema.js'
import type { Certainty } from './unsure.js'

export function requestCriteria(what: What, then: Rule['then']): readonly EffectCriterion[] {
  const { methods, paths, operations, tools, fields, detectors } = what
  const criteria: EffectCriterion[] = []
  const add = (key: keyof What, values: readonly string[], holds: (facts: RequestFacts) => Certainty): void => {
    criteria.push({ key, says: `${key} [${values.join(', ')}]`, holds: (effect, kind) => ofRequest(effect, kind, holds) })
  }
  if (methods !== undefined) {
    const upper = methods.map((method) => method.toUpperCase())
    add('methods', methods, ({ method }) => certain(matchesAnyName(upper, method)))
  }
  if (paths !== undefined) add('paths', paths, ({ path }) => certain(matchesAnyName(paths, path)))
  if (operations !== undefined) add('operations', operations, (facts) => anyOf(operations, facts.operations))
  if (tools !== undefined) add('tools', tools, (facts) => anyOf(tools, facts.tools))
  // A mask is about what comes back, which any request may bring; the protocol finds the fields in it.
  if (fields !== undefined) add('fields', fields, (facts) => (then === 'mask' ? 'yes' : fieldsHold(fields, facts.fields, then)))
  if (detectors !== undefined) {
    const holds = (effect: Effect, kind: StatementKind): Certainty =>
      printing.includes(kind) ? 'yes' : ofRequest(effect, kind, () => 'yes')
    criteria.push({ key: 'detectors', says: `detectors [${detectors.join(', ')}]`, holds })
  }
  return criteria
}

/** Statements of ssh that may show something, whatever they do. A forward is not looked into: it needs a rule that allows it. */
const printing: readonly StatementKind[] = ['command', 'shell', 'file']

/** Whether the rule is about all that a command prints: then it does not matter which part of the command it is about. */
export function coversOutput({ what, then }: Rule, kind: StatementKind): boolean {
  return then === 'mask' && what?.detectors !== undefined && what.columns === undefined && (kind === 'command' || kind === 'shell')
}

/** What a mask rule covers in the answer to a request, or in what is printed. */
export function requestMasks(what: What | undefined): readonly Mask['column'][] {
  return [...(what?.fields ?? []), ...(what?.detectors ?? []).map((name) => `@${name}`)]
}

function ofRequest(effect: Effect, kind: string, holds: (facts: RequestFacts) => Certainty): Certainty {
  if (kind !== 'request') return 'no'
  if (effect.request === undefined) return 'could'
  return holds(effect.request)
}

const certain = (held: boolean): Certainty => (held ? 'yes' : 'no')

function anyOf(patterns: readonly string[], names: readonly string[] | undefined): Certainty {
  return names === undefined ? 'could' : certain(names.some((name) => matchesAnyName(patterns, name)))
}

/** Any of them for a rule that restricts, all of them for a rule that allows. */
function fieldsHold(patterns: readonly string[], fields: readonly string[] | undefined, then: Rule['then']): Certainty {
  if (fields === undefined) return 'could'
  const held = (field: string): boolean => matchesAnyName(patterns, field) || matchesAnyName(patterns, `$.${field}`)
  return certain(fields.length > 0 && (then === 'allow' ? fields.every(held) : fields.some(held)))
}
