// Identities, targets, grants and rules as the rest of the house knows them; and what changed from one revision to the next.

import type { DefinitionsChange } from '@sallyport/api'
import type { Identity, Target } from '@sallyport/core'
import type { WrittenDefinitions } from './schema.js'

export function identitiesOf(definitions: WrittenDefinitions): readonly Identity[] {
  return definitions.identities.map(({ name, kind, groups }) => ({ id: name, name, kind, groups }))
}

export function targetsOf(definitions: WrittenDefinitions): readonly Target[] {
  return definitions.targets.map((written) => {
    const { name, protocol, address, tls, tlsAuthorities, labels, durability, default: fallback } = written
    const common = {
      name,
      protocol,
      address,
      tls,
      labels,
      durability,
      default: fallback,
      ...(tlsAuthorities === undefined ? {} : { tlsAuthorities }),
    }
    if (written.protocol === 'http') {
      const { operations, readBodyBytes, recordBodyBytes, patienceSeconds, secretNames, http2, schemas } = written
      const settings = {
        http2,
        operations,
        readBodyBytes,
        recordBodyBytes,
        patienceMs: patienceSeconds * 1000,
        secretNames,
        ...(schemas === undefined ? {} : { schemas }),
      }
      return { ...common, databases: [], trust: { functions: [] }, http: settings }
    }
    if (written.protocol === 'ssh') {
      const { hostKey, hostAuthority, via, trust } = written
      const proof = { ...(hostKey === undefined ? {} : { hostKey }), ...(hostAuthority === undefined ? {} : { hostAuthority }) }
      const way = via === undefined ? {} : { via }
      return { ...common, databases: [], trust: { functions: [], programs: trust.programs }, ...proof, ...way }
    }
    const { database, databases, trust } = written
    return { ...common, databases, trust, ...(database === undefined ? {} : { database }) }
  })
}

/** What turns `before` into `after`, by name; order does not matter, for the strictest rule wins wherever it stands. */
export function changesBetween(before: WrittenDefinitions, after: WrittenDefinitions): readonly DefinitionsChange[] {
  return [
    ...changesOf('identity', byName(before.identities), byName(after.identities)),
    ...changesOf('target', byName(before.targets), byName(after.targets)),
    ...changesOf('grant', byContent(before.grants), byContent(after.grants)),
    ...changesOf('rule', byName(before.rules), byName(after.rules)),
  ]
}

function byName<T extends { readonly name: string }>(list: readonly T[]): ReadonlyMap<string, T> {
  return new Map(list.map((each) => [each.name, each]))
}

/** Grants have no name: each is what it says. */
function byContent<T extends object>(list: readonly T[]): ReadonlyMap<string, T> {
  return new Map(list.map((each) => [describe(each), each]))
}

function describe(value: object): string {
  return Object.entries(value)
    .flatMap(([key, part]) =>
      part === undefined ? [] : [`${key}: ${Array.isArray(part) ? part.join(', ') : JSON.stringify(part)}`],
    )
    .join('; ')
}

function changesOf(
  what: DefinitionsChange['what'],
  before: ReadonlyMap<string, object>,
  after: ReadonlyMap<string, object>,
): readonly DefinitionsChange[] {
  const changes: DefinitionsChange[] = []
  for (const [name, value] of after) {
    const old = before.get(name)
    const fields = old === undefined ? [] : changedFields(old, value)
    if (old === undefined) changes.push({ kind: 'add', what, name, fields: [] })
    else if (fields.length > 0) changes.push({ kind: 'change', what, name, fields })
  }
  for (const name of before.keys()) if (!after.has(name)) changes.push({ kind: 'remove', what, name, fields: [] })
  return changes
}

function changedFields(before: object, after: object): DefinitionsChange['fields'] {
  const old = new Map(Object.entries(before))
  const now = new Map(Object.entries(after))
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((key) => canonical(old.get(key)) !== canonical(now.get(key)))
    .map((path) => ({ path, before: old.get(path) ?? null, after: now.get(path) ?? null }))
}

/** The same text for the same value, whatever the order of its keys. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, part: unknown) =>
      typeof part === 'object' && part !== null && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    ) ?? 'null'
  )
}
