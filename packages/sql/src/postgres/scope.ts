// What names mean at one place of a statement: the sources of its FROM, the CTEs in sight, and the scopes around it.
// Where more than one meaning is possible all of them count: too much may be seen as touched, never too little.

import type { Relation } from './catalog-index.js'
import type { Outputs } from './walk.js'

/** What touching a column of a source touches. */
interface Meaning {
  readonly columns: readonly (readonly [Relation, string])[]
  readonly touched: ReadonlySet<string>
}

export interface Source {
  readonly alias: string
  /** The base relations it may be; empty for a sub-query, a function, a CTE. */
  readonly relations: readonly Relation[]
  /** Without an alias it can also be named `schema.table`. */
  readonly named: boolean
  readonly columns: ReadonlyMap<string, Meaning>
  /** It may have columns that are not listed; touching one touches `rest`. */
  readonly open: boolean
  readonly rest: ReadonlySet<string>
  /** A sub-select with masks stands in its place. */
  readonly replaced: boolean
  /** The target of INSERT, UPDATE, DELETE or MERGE. */
  readonly target: boolean
  /** Found by its alias only (`excluded`, `old`, the alias of a join). */
  readonly byAliasOnly: boolean
}

export interface Cte {
  /** Absent while it is being read: a reference to itself. */
  outputs: Outputs | undefined
  readonly columnNames: readonly string[]
}

export class Scope {
  readonly parent: Scope | undefined
  readonly sources: Source[] = []
  readonly ctes = new Map<string, Cte>()
  /** Names that ORDER BY and GROUP BY may use for output columns. */
  outputNames: ReadonlySet<string> = new Set()
  /** Names of columns are not resolved here: a definition whose columns are only being made. */
  readonly isDefinition: boolean

  constructor(parent: Scope | undefined, isDefinition = false) {
    this.parent = parent
    this.isDefinition = isDefinition
  }

  *chain(): Generator<Scope> {
    yield this
    if (this.parent !== undefined) yield* this.parent.chain()
  }

  cte(name: string): Cte | undefined {
    for (const scope of this.chain()) {
      const cte = scope.ctes.get(name)
      if (cte !== undefined) return cte
    }
    return undefined
  }

  /** The sources an alias, or `schema.table`, may stand for: those of the innermost scope that has any. */
  aliased(alias: string, schema?: string): readonly Source[] {
    for (const scope of this.chain()) {
      const found = scope.sources.filter((source) => source.alias === alias && (schema === undefined || inSchema(source, schema)))
      if (found.length > 0) return found
    }
    return []
  }

  get defining(): boolean {
    return [...this.chain()].some((scope) => scope.isDefinition)
  }
}

function inSchema(source: Source, schema: string): boolean {
  return (
    source.named &&
    source.relations.some((relation) => relation.schema === schema || relation.schema === '?' || schema === 'pg_temp')
  )
}

const nothing: ReadonlySet<string> = new Set()

interface RelationSource {
  readonly alias: string
  readonly named: boolean
  readonly columnNames?: readonly string[]
  readonly replaced?: boolean
  readonly target?: boolean
  readonly byAliasOnly?: boolean
}

export function relationSource(relations: readonly Relation[], how: RelationSource): Source {
  const columns = new Map<string, { readonly columns: (readonly [Relation, string])[]; readonly touched: ReadonlySet<string> }>()
  for (const relation of relations) {
    for (const [at, column] of (relation.columns ?? []).entries()) {
      const name = how.columnNames?.[at] ?? column.name
      const meaning = columns.get(name)
      if (meaning === undefined) columns.set(name, { columns: [[relation, column.name]], touched: nothing })
      else meaning.columns.push([relation, column.name])
    }
  }
  return {
    alias: how.alias,
    relations,
    named: how.named,
    columns,
    open: relations.some((relation) => relation.columns === undefined),
    rest: nothing,
    replaced: how.replaced ?? false,
    target: how.target ?? false,
    byAliasOnly: how.byAliasOnly ?? false,
  }
}

export function derivedSource(alias: string, outputs: Outputs, columnNames: readonly string[] = []): Source {
  const columns = new Map<string, Meaning>()
  const rest = new Set<string>()
  for (const [at, output] of outputs.columns.entries()) {
    const name = columnNames[at] ?? output.name
    for (const column of output.touched) rest.add(column)
    if (name === undefined) continue
    columns.set(name, { columns: [], touched: new Set([...(columns.get(name)?.touched ?? []), ...output.touched]) })
  }
  const open = outputs.open || outputs.columns.some((output) => output.name === undefined)
  return { alias, relations: [], named: false, columns, open, rest, replaced: false, target: false, byAliasOnly: false }
}

/** A source whose columns nobody can list: a function, a table made of XML or JSON. */
export function openSource(alias: string, touched: ReadonlySet<string>): Source {
  return {
    alias,
    relations: [],
    named: false,
    columns: new Map(),
    open: true,
    rest: touched,
    replaced: false,
    target: false,
    byAliasOnly: false,
  }
}

/** The alias of a join: it has what its members have. */
export function joinSource(alias: string, members: readonly Source[]): Source {
  const columns = new Map<string, Meaning>()
  for (const member of members) {
    for (const [name, meaning] of member.columns) {
      const before = columns.get(name)
      columns.set(name, {
        columns: [...(before?.columns ?? []), ...meaning.columns],
        touched: new Set([...(before?.touched ?? []), ...meaning.touched]),
      })
    }
  }
  const all = [...columns.values()]
  return {
    alias,
    relations: [],
    named: false,
    columns,
    open: true,
    rest: new Set([
      ...all.flatMap((meaning) => [...meaning.touched, ...meaning.columns.map(([relation, column]) => `${relation.id}.${column}`)]),
      ...members.flatMap((member) => [...member.rest]),
    ]),
    replaced: false,
    target: false,
    byAliasOnly: true,
  }
}
