// A catalogue made ready for look-ups: relations by name and id, families of inheritance, what users made beside the built-ins.

import type {
  CatalogCast,
  CatalogColumn,
  CatalogFunction,
  CatalogOperator,
  CatalogRelation,
  CatalogType,
  PostgresCatalog,
} from './catalog.js'

/** A relation a text may mean. Without columns: not in the catalogue, so nothing is known of it; its schema is then `?` or as written. */
export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly id: string
  readonly kind: string
  readonly columns: readonly CatalogColumn[] | undefined
  readonly definition: string | null
}

export interface CatalogIndex {
  readonly schemas: readonly string[]
  relation(schema: string, name: string): Relation | undefined
  byOid(oid: number): Relation | undefined
  inSchema(schema: string): readonly Relation[]
  /** Every schema holding this session's and others' temporary relations. */
  readonly temporarySchemas: readonly string[]
  /** Ancestors and descendants, all generations; a row of one may be a row of the other. */
  family(relation: Relation): readonly Relation[]
  /** Relations whose foreign keys lead here, directly or not. */
  referencing(relation: Relation): readonly Relation[]
  viewReads(relation: Relation): readonly (readonly [Relation, number])[]
  /** The columns a generated column is made of. */
  madeOf(relation: Relation, column: string): readonly string[]
  rules(relation: Relation): readonly string[]
  type(oid: number): CatalogType | undefined
  functions(name: string): readonly CatalogFunction[]
  operators(name: string): readonly CatalogOperator[]
  casts(typeName: string): readonly CatalogCast[]
}

function grouped<K, V>(items: Iterable<V>, key: (item: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return groups
}

/** All that can be reached from `start` along `steps`, without `start` itself. */
function reachable(start: number, steps: (from: number) => readonly number[]): Set<number> {
  const seen = new Set([start])
  for (const at of seen) for (const next of steps(at)) seen.add(next)
  seen.delete(start)
  return seen
}

function known(relation: CatalogRelation): Relation {
  return { ...relation, id: `${relation.schema}.${relation.name}` }
}

export function unknownRelation(schema: string, name: string): Relation {
  return { oid: 0, schema, name, id: `${schema}.${name}`, kind: '?', columns: undefined, definition: null }
}

export function indexCatalog(catalog: PostgresCatalog): CatalogIndex {
  const relations = catalog.relations.map(known)
  const byOid = new Map(relations.map((relation) => [relation.oid, relation]))
  const byId = new Map(relations.map((relation) => [relation.id, relation]))
  const bySchema = grouped(relations, (relation) => relation.schema)
  const upwards = grouped(catalog.parents, ([child]) => child)
  const downwards = grouped(catalog.parents, ([, parent]) => parent)
  const inwards = grouped(catalog.references, ([, referenced]) => referenced)
  const reads = grouped(catalog.viewReads, ([view]) => view)
  const generated = grouped(catalog.generatedFrom, ([relation]) => relation)
  const rules = grouped(catalog.rules, ([relation]) => relation)
  const types = new Map(catalog.types.map((type) => [type.oid, type]))
  const functions = grouped(catalog.functions, (one) => one.name)
  const operators = grouped(catalog.operators, (one) => one.name)
  const casts = grouped(catalog.casts, (one) => one.targetName)
  const resolved = (oids: Iterable<number>): Relation[] => [...oids].flatMap((oid) => byOid.get(oid) ?? [])
  return {
    schemas: catalog.schemas,
    relation: (schema, name) => byId.get(`${schema}.${name}`),
    byOid: (oid) => byOid.get(oid),
    inSchema: (schema) => bySchema.get(schema) ?? [],
    temporarySchemas: [...bySchema.keys()].filter((schema) => /^pg_temp_\d+$/.test(schema)),
    family: (relation) => {
      const up = reachable(relation.oid, (oid) => upwards.get(oid)?.map(([, parent]) => parent) ?? [])
      const down = reachable(relation.oid, (oid) => downwards.get(oid)?.map(([child]) => child) ?? [])
      return resolved([...up, ...down])
    },
    referencing: (relation) =>
      resolved(reachable(relation.oid, (oid) => inwards.get(oid)?.map(([referencing]) => referencing) ?? [])),
    viewReads: (relation) =>
      (reads.get(relation.oid) ?? []).flatMap(([, oid, attnum]) => {
        const read = byOid.get(oid)
        return read === undefined ? [] : [[read, attnum] as const]
      }),
    madeOf: (relation, column) => {
      const rows = generated.get(relation.oid)
      const named = (attnum: number): string | undefined => relation.columns?.find((one) => one.attnum === attnum)?.name
      return rows === undefined ? [] : rows.flatMap(([, made, from]) => (named(made) === column ? (named(from) ?? []) : []))
    },
    rules: (relation) => (rules.get(relation.oid) ?? []).map(([, event]) => event),
    type: (oid) => types.get(oid),
    functions: (name) => functions.get(name) ?? [],
    operators: (name) => operators.get(name) ?? [],
    casts: (typeName) => casts.get(typeName) ?? [],
  }
}
