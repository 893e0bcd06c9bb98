// What a schema cannot see: names that occur twice, names that nobody defined, and rules and grants that can never match.

import { grantsNobodyHas, neverMatches } from '@sallyport/policy'
import type { Known } from '@sallyport/policy'
import { targetsOf } from './definitions.js'
import { didYouMean } from './fault.js'
import type { Path } from './fault.js'
import type { WrittenDefinitions, WrittenTarget } from './schema.js'

export interface Problem {
  readonly path: Path
  readonly message: string
}

export interface Surroundings {
  /** Whether an identity provider may bring names and groups that the definitions do not know. */
  readonly providers: boolean
  readonly operators: { readonly groups: readonly string[]; readonly endSessions: readonly string[] }
}

/** For definitions that are looked at without the rest of a configuration. */
export const noOperators: Surroundings['operators'] = { groups: [], endSessions: [] }

export function referenceProblems(definitions: WrittenDefinitions, { providers, operators }: Surroundings): readonly Problem[] {
  const identities = definitions.identities.map((identity) => identity.name)
  const groups = [...new Set(definitions.identities.flatMap((identity) => identity.groups))]
  const known: Known = { targets: targetsOf(definitions), ...(providers ? {} : { identities, groups }) }
  return [
    ...duplicates('identities', definitions.identities),
    ...duplicates('targets', definitions.targets),
    ...definitions.targets.flatMap(hostProblems),
    ...definitions.targets.flatMap((target, index) => wayProblems(target, index, definitions.targets)),
    ...below('grants', grantsNobodyHas(definitions.grants, known), known),
    ...below('rules', neverMatches(definitions.rules, known), known),
    ...(['groups', 'endSessions'] as const).flatMap((list) =>
      operators[list].flatMap((group, index) =>
        providers || groups.includes(group)
          ? []
          : [{ path: ['operators', list, index], message: advised(`there is no group ${group}`, known) }],
      ),
    ),
  ]
}

/** Never trusted blindly. */
function hostProblems(target: WrittenTarget, index: number): readonly Problem[] {
  if (target.protocol !== 'ssh' || target.hostKey !== undefined || target.hostAuthority !== undefined) return []
  const message =
    'an ssh target needs the key it must show; write hostKey: "ssh-ed25519 AAAA...", or hostAuthority where its host key is certified'
  return [{ path: ['targets', index], message }]
}

const mostHops = 4

/** A way through other targets ends, and soon. */
function wayProblems(target: WrittenTarget, index: number, targets: readonly WrittenTarget[]): readonly Problem[] {
  const viaOf = (each: WrittenTarget | undefined): string | undefined => (each?.protocol === 'ssh' ? each.via : undefined)
  const problem = (message: string): readonly Problem[] => [{ path: ['targets', index, 'via'], message }]
  const way = [target.name]
  for (let via = viaOf(target); via !== undefined;) {
    const name = via
    const next = targets.find((each) => each.name === name && each.protocol === 'ssh')
    const near = didYouMean(
      name,
      targets.flatMap((each) => (each.protocol === 'ssh' ? [each.name] : [])),
    )
    // A fault further on is told where it stands.
    if (next === undefined) return way.length > 1 ? [] : problem(`there is no ssh target ${name}; ${near ?? 'add it to targets'}`)
    if (way.includes(name)) return problem(`the way goes round: ${[...way, name].join(', ')}; take one via out`)
    way.push(name)
    if (way.length > mostHops + 1) return problem(`the way leads through more than ${mostHops} targets; make it shorter`)
    via = viaOf(next)
  }
  return []
}

function duplicates(list: string, named: readonly { readonly name: string }[]): readonly Problem[] {
  const first = new Map<string, number>()
  return named.flatMap(({ name }, index) => {
    const earlier = first.get(name)
    if (earlier !== undefined)
      return [{ path: [list, index, 'name'], message: `${list}[${earlier}] has the name "${name}" already; choose another` }]
    first.set(name, index)
    return []
  })
}

function below(list: string, faults: readonly Problem[], known: Known): readonly Problem[] {
  return faults.map(({ path, message }) => ({ path: [list, ...path], message: advised(message, known) }))
}

/** Adds what to do to what is wrong, where the fault is a name nobody has. */
function advised(message: string, known: Known): string {
  const [, kind, name] = /^there is no (group|identity|target) (.+)$/.exec(message) ?? []
  if (kind === undefined || name === undefined) return message
  switch (kind) {
    case 'group':
      return `${message}; ${didYouMean(name, known.groups ?? []) ?? 'give an identity this group, or configure the identity provider that does'}`
    case 'identity':
      return `${message}; ${didYouMean(name, known.identities ?? []) ?? 'add it to identities, or configure the identity provider that knows it'}`
    default:
      return `${message}; ${
        didYouMean(
          name,
          known.targets.map((target) => target.name),
        ) ?? 'add it to targets'
      }`
  }
}
