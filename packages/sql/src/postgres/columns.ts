// Column references: which columns a name may stand for, and touching them.

import type { A_Indirection, ColumnRef } from 'libpg-query'
import { systemColumns } from './builtins.js'
import { judgeFunction } from './functions.js'
import { readColumn, readEverything } from './reads.js'
import type { Scope, Source } from './scope.js'
import { nameOf, tagged } from './tree.js'
import { Untraceable } from './walk.js'
import type { Output, Walk } from './walk.js'

/** Touches one column of a source; false where the source has none of that name. */
function touch(w: Walk, source: Source, name: string): boolean {
  const meaning = source.columns.get(name)
  if (meaning !== undefined) {
    for (const [relation, column] of meaning.columns) readColumn(w, relation, column)
    w.effects.touch(meaning.touched)
  }
  if (meaning !== undefined && source.relations.length <= 1) return true
  if (source.open) {
    w.effects.touch(source.rest)
    for (const relation of source.relations) if (relation.columns === undefined) readColumn(w, relation, name)
  }
  return meaning !== undefined || source.open
}

function touchAll(w: Walk, source: Source): void {
  if (source.target) w.masking?.returnsWholeRow(source)
  for (const relation of source.relations) readEverything(w, relation)
  for (const meaning of source.columns.values()) w.effects.touch(meaning.touched)
  w.effects.touch(source.rest)
}

/** `alias.name` where the source has no such column: a system column, or a function called on the whole row (typeconv, "functional notation"). */
function touchAsFunction(w: Walk, source: Source, name: string): void {
  if (systemColumns.has(name)) {
    if (source.replaced) throw new Untraceable(`system column ${name} of a masked table`)
    return
  }
  touchAll(w, source)
  judgeFunction(w, [name])
}

function qualified(w: Walk, sources: readonly Source[], name: string): void {
  if (sources.length === 0) w.effects.unknown('select')
  for (const source of sources) if (!touch(w, source, name)) touchAsFunction(w, source, name)
}

function unqualified(w: Walk, scope: Scope, name: string): void {
  for (const around of scope.chain()) {
    const candidates = around.sources.filter((source) => !source.byAliasOnly)
    const certain = candidates.some((source) => source.columns.has(name))
    for (const source of candidates) touch(w, source, name)
    if (certain) return
  }
  const rows = scope.aliased(name)
  for (const source of rows) touchAll(w, source)
  if (rows.length > 0 || scope.defining) return
  if ([...scope.chain()].some((around) => around.outputNames.has(name) || around.sources.some((source) => source.open))) return
  if (systemColumns.has(name)) {
    if ([...scope.chain()].some((around) => around.sources.some((source) => source.replaced))) {
      throw new Untraceable(`system column ${name} beside a masked table`)
    }
    return
  }
  unlisted(w, scope, name)
}

/** A column no relation in sight is known to have: made since the catalogue was read, or a mistake. Any of them may have it. */
function unlisted(w: Walk, scope: Scope, name: string): void {
  const relations = [...scope.chain()].flatMap((around) => around.sources.flatMap((source) => source.relations))
  for (const relation of relations) readColumn(w, relation, name)
  if (relations.length === 0) w.effects.unknown('select')
}

/** Answers the sources that a reference ending in `*`, or naming a source itself, covers whole; undefined for any other. */
export function columnReference(w: Walk, reference: ColumnRef, scope: Scope): void {
  const fields = reference.fields ?? []
  const names = fields.map(nameOf)
  const last = names[names.length - 1]
  if (last === undefined) {
    for (const source of starSources(scope, fields)) touchAll(w, source)
    return
  }
  if (names.length === 1) return unqualified(w, scope, last)
  const [first, second] = names
  if (names.length === 2) {
    const sources = scope.aliased(first ?? '')
    if (sources.length > 0 || !scope.defining) qualified(w, sources, last)
    return
  }
  const [schema, table] = names.length === 3 ? [first, second] : [second, names[2]]
  const sources = scope.aliased(table ?? '', schema ?? '')
  if (sources.some((source) => source.replaced)) reference.fields = fields.slice(-2)
  qualified(w, sources, last)
}

/** The sources `*`, `alias.*` or `schema.table.*` stands for. A schema is dropped where a masked sub-select took the table's place. */
export function starSources(scope: Scope, fields: readonly unknown[]): readonly Source[] {
  const names = fields.slice(0, -1).map(nameOf)
  if (names.length === 0) return scope.sources.filter((source) => !source.byAliasOnly)
  const table = names[names.length - 1] ?? ''
  return names.length === 1 ? scope.aliased(table) : scope.aliased(table, names[names.length - 2] ?? '')
}

/** `(u).ssn`: a column of a whole row; else a field of some value, which may also be a call of a user's function. */
export function indirection(w: Walk, node: A_Indirection, scope: Scope): void {
  const fields = node.indirection ?? []
  const base = tagged(node.arg)
  const field = nameOf(fields[0])
  const row = base?.kind === 'ColumnRef' ? ((base.body as ColumnRef).fields ?? []).map(nameOf) : []
  const sources = row.length === 1 && row[0] !== undefined ? scope.aliased(row[0]) : []
  if (field !== undefined && sources.length > 0 && !sources.some((source) => source.columns.has(row[0] ?? ''))) {
    // A field of the target's row cannot be masked where it stands.
    for (const source of sources) if (source.target) w.masking?.returnsWholeRow(source)
    qualified(w, sources, field)
  } else {
    w.expression(node.arg, scope)
    const name = field
    if (name !== undefined && w.index.functions(name).length > 0) judgeFunction(w, [name])
  }
  for (const one of fields) if (tagged(one)?.kind === 'A_Indices') w.expression(one, scope)
}

/** The columns a star in a select list gives. */
export function starOutputs(
  w: Walk,
  scope: Scope,
  fields: readonly unknown[],
): { readonly columns: Output[]; readonly open: boolean } {
  const sources = starSources(scope, fields)
  const columns = sources.flatMap((source) =>
    [...source.columns.keys()].map((name) => {
      const touched = w.effects.touchedBy(() => void touch(w, source, name))
      const [only] = source.columns.get(name)?.columns ?? []
      return { name, touched, plain: only === undefined ? undefined : `${only[0].id}.${only[1]}` }
    }),
  )
  const rest = w.effects.touchedBy(() => {
    for (const source of sources) if (source.open) touchAll(w, source)
  })
  for (const source of sources) if (source.target) w.masking?.returnsWholeRow(source)
  const open = sources.length === 0 || sources.some((source) => source.open)
  return { columns: open ? [...columns, { name: undefined, touched: rest, plain: undefined }] : columns, open }
}
