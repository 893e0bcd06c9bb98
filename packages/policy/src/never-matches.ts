// Rules and grants that can never match: each is a misunderstanding of its author, and a hole where it was meant to restrict.

import { matchesName } from '@sallyport/core'
import { holdsAt } from './who-where.js'
import type { Target } from '@sallyport/core'
import type { Fault } from './fault.js'
import type { Grant, Rule, What, Where, Who } from './schema.js'

export interface Known {
  readonly targets: readonly Target[]
  /** Every identity's name; absent where an identity provider may bring others. */
  readonly identities?: readonly string[]
  /** Every group; absent where an identity provider may bring others. */
  readonly groups?: readonly string[]
}

const sqlProtocols = ['postgres', 'mysql']
/** Criteria that only statements of these protocols can meet. */
const protocolsOf: Partial<Record<keyof What, readonly string[]>> = {
  programs: ['ssh'],
  args: ['ssh'],
  files: ['ssh'],
  methods: ['http'],
  paths: ['http'],
  fields: ['http'],
  operations: ['http'],
  tools: ['http'],
  detectors: ['http', 'ssh'],
}
/** Verbs that only ever come with one access, so that naming another beside them is a contradiction. */
const accessOfVerb: Readonly<Record<string, string>> = { select: 'read', insert: 'write', update: 'write', delete: 'write' }

/** The paths begin with the index of the rule. */
export function neverMatches(rules: readonly Rule[], known: Known): readonly Fault[] {
  return rules.flatMap((rule, index) => {
    const faults = [
      ...whoFaults(rule.who, known).map(below('who')),
      ...whereFaults(rule.where, known).map(below('where')),
      ...whatFaults(
        rule,
        known.targets.filter((target) => holdsAt(rule.where, target)),
      ).map(below('what')),
      ...reviewerFaults(rule, known).map(below('reviewers')),
    ]
    return faults.map(below(index))
  })
}

/** The paths begin with the index of the grant. */
export function grantsNobodyHas(grants: readonly Grant[], known: Known): readonly Fault[] {
  return grants.flatMap((grant, index) => [...whoFaults(grant, known), ...whereFaults(grant, known)].map(below(index)))
}

function whoFaults(who: Who | undefined, known: Known): readonly Fault[] {
  if (who === undefined) return []
  return [
    ...unknownNames(who.groups, known.groups, 'groups', 'group'),
    ...unknownNames(who.names, known.identities, 'names', 'identity'),
  ]
}

function whereFaults(where: Where | undefined, known: Known): readonly Fault[] {
  if (where === undefined) return []
  const names = known.targets.map((target) => target.name)
  const faults = unknownNames(where.targets, names, 'targets', 'target')
  const labelled = Object.entries(where.labels ?? {}).flatMap(([label, values]) => {
    const present = known.targets.flatMap((target) => (Object.hasOwn(target.labels, label) ? [target.labels[label] ?? ''] : []))
    const found = values.some((value) => value.includes('*') || present.includes(value))
    return found ? [] : [{ path: ['labels', label], message: `no target has the label ${label}: ${values.join(' or ')}` }]
  })
  if (faults.length > 0 || labelled.length > 0) return [...faults, ...labelled]
  const vague = [...(where.targets ?? []), ...Object.values(where.labels ?? {}).flat()].some((name) => name.includes('*'))
  if (vague || known.targets.some((target) => holdsAt(where, target))) return []
  return [{ path: [], message: 'no target is meant by these names and labels together' }]
}

function unknownNames(
  names: readonly string[] | undefined,
  present: readonly string[] | undefined,
  key: string,
  noun: string,
): readonly Fault[] {
  if (names === undefined || present === undefined) return []
  return names.flatMap((name, index) =>
    name.includes('*') || present.includes(name) ? [] : [{ path: [key, index], message: `there is no ${noun} ${name}` }],
  )
}

function reviewerFaults(rule: Rule, known: Known): readonly Fault[] {
  return [
    ...unknownNames(rule.reviewers?.groups, known.groups, 'groups', 'group'),
    ...unknownNames(rule.reviewers?.names, known.identities, 'names', 'identity'),
  ]
}

function whatFaults(rule: Rule, targets: readonly Target[]): readonly Fault[] {
  const { what } = rule
  if (what === undefined) return []
  const sqlOnly = targets.length > 0 && targets.every((target) => sqlProtocols.includes(target.protocol))
  return [
    ...wrongProtocol(what, targets),
    ...(sqlOnly ? [...undotted(what.objects, 'objects', 1), ...undotted(what.columns, 'columns', 2)] : []),
    ...(sqlOnly ? contradictions(what) : []),
    ...(rule.then === 'mask' && what.access?.every((access) => access === 'write') === true
      ? [{ path: ['access'], message: 'a mask covers what is read; it never applies to access: [write]' }]
      : []),
  ]
}

function wrongProtocol(what: What, targets: readonly Target[]): readonly Fault[] {
  if (targets.length === 0) return []
  const keys = Object.keys(protocolsOf).filter((key): key is keyof What => key in what)
  return keys.flatMap((key) => {
    const protocols = protocolsOf[key] ?? []
    if (what[key] === undefined || targets.some((target) => protocols.includes(target.protocol))) return []
    return [{ path: [key], message: `${key} is about ${protocols.join(' or ')}, and no target meant by this rule speaks it` }]
  })
}

/** SQL objects are `schema.table` and columns `schema.table.column`, so fewer dots never match. */
function undotted(patterns: readonly string[] | undefined, key: string, dots: number): readonly Fault[] {
  return (patterns ?? []).flatMap((pattern, index) => {
    if (pattern.includes('*') || pattern.split('.').length > dots) return []
    const shape = key === 'objects' ? 'schema.table' : 'schema.table.column'
    const stars = '*.'.repeat(dots - (pattern.split('.').length - 1))
    return [
      {
        path: [key, index],
        message: `${pattern} never matches: ${key} are written ${shape}; for any schema write "${stars}${pattern}"`,
      },
    ]
  })
}

function contradictions(what: What): readonly Fault[] {
  const { access, verbs, bounded, rowsOver } = what
  const faults: Fault[] = []
  const needs = verbs?.map((verb) => accessOfVerb[verb.toLowerCase()])
  // A statement that was not understood may bring any verb.
  const certain = access !== undefined && !access.includes('unknown')
  if (certain && needs?.every((need) => need !== undefined && !access.some((one) => one === need)) === true) {
    faults.push({ path: ['access'], message: `${verbs?.join(', ')} is never access ${access.join(', ')}` })
  }
  if (bounded !== undefined && access !== undefined && !access.includes('write')) {
    faults.push({ path: ['bounded'], message: 'bounded is about update and delete, which are access write' })
  }
  const narrowed = ['update', 'delete']
  if (bounded !== undefined && verbs?.some((verb) => narrowed.some((one) => matchesName(verb.toLowerCase(), one))) === false) {
    faults.push({ path: ['bounded'], message: `bounded is about update and delete, never about ${verbs.join(', ')}` })
  }
  if (rowsOver !== undefined && access !== undefined && !access.includes('read')) {
    faults.push({ path: ['rowsOver'], message: 'rowsOver counts rows that are read; with this access there are none' })
  }
  return faults
}

function below(key: string | number): (fault: Fault) => Fault {
  return (fault) => ({ path: [key, ...fault.path], message: fault.message })
}
