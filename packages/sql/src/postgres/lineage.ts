// What lies under a view: for each of its columns the columns it comes from, worked out from its definition as the server spells it and
// held against pg_depend. Where the two do not agree, every column of the view comes from everything the view reads.

import type { Effect } from '@sallyport/core'
import type { Node, SelectStmt } from 'libpg-query'
import type { CatalogIndex, Relation } from './catalog-index.js'
import { tagged } from './tree.js'
import type { Outputs } from './walk.js'

export interface Lineage {
  column(name: string): ReadonlySet<string>
  /** The one column that a column of the view is, unchanged. */
  plain(name: string): string | undefined
  /** Read for rows to be there at all. */
  readonly always: ReadonlySet<string>
  readonly relations: readonly string[]
  readonly unknowns: readonly Effect[]
}

interface ReadView {
  readonly effects: readonly Effect[]
  readonly outputs: Outputs
  readonly imprecise: boolean
}

interface LineageParts {
  readonly index: CatalogIndex
  readonly parse: (text: string) => readonly Node[]
  readonly read: (select: SelectStmt) => ReadView
  /** The lineage of another view, which this one reads. */
  readonly lineage: (view: Relation) => Lineage
}

const none: ReadonlySet<string> = new Set()

export const noLineage: Lineage = { column: () => none, plain: () => undefined, always: none, relations: [], unknowns: [] }

function readDefinition(parts: LineageParts, view: Relation): ReadView | undefined {
  try {
    const select = tagged(parts.parse(view.definition ?? '')[0])
    return select?.kind === 'SelectStmt' ? parts.read(select.body) : undefined
  } catch (error) {
    if (error instanceof Error && error.name === 'SqlError') return undefined
    throw error
  }
}

export function lineageOf(parts: LineageParts, view: Relation): Lineage {
  if (view.definition === null) return noLineage
  const read = readDefinition(parts, view)
  const reads = parts.index.viewReads(view)
  const relations = [...new Set([...reads.map(([relation]) => relation.id), ...selected(read)])]
  const unknowns = (read?.effects ?? []).filter((effect) => effect.verb !== 'select' || effect.access !== 'read')
  const outputs = read?.outputs
  if (outputs === undefined || !agrees(view, read, reads)) return opaque(parts, view, { relations, unknowns, read })
  const byName = new Map(view.columns?.map((column, at) => [column.name, outputs.columns[at]]))
  return {
    column: (name) => byName.get(name)?.touched ?? none,
    plain: (name) => byName.get(name)?.plain,
    always: outputs.always,
    relations,
    unknowns,
  }
}

function selected(read: ReadView | undefined): readonly string[] {
  return (read?.effects ?? [])
    .filter((effect) => effect.verb === 'select' && effect.access === 'read')
    .map((effect) => effect.object)
}

function agrees(view: Relation, read: ReadView | undefined, reads: readonly (readonly [Relation, number])[]): boolean {
  if (read === undefined || read.imprecise || read.outputs.open || read.outputs.columns.length !== view.columns?.length)
    return false
  const found = new Set([...read.outputs.always, ...read.outputs.columns.flatMap((column) => [...column.touched])])
  return reads.every(([relation, attnum]) => {
    const column = relation.columns?.find((one) => one.attnum === attnum)
    return column === undefined || found.has(`${relation.id}.${column.name}`)
  })
}

interface Told {
  readonly relations: readonly string[]
  readonly unknowns: readonly Effect[]
  readonly read: ReadView | undefined
}

/** All columns of all that pg_depend names: where a whole row is used it names no column (dependency.c, find_expr_references_walker). */
function opaque(parts: LineageParts, view: Relation, told: Told): Lineage {
  const columns = new Set([
    ...(told.read?.outputs.always ?? []),
    ...(told.read?.outputs.columns.flatMap((column) => [...column.touched]) ?? []),
  ])
  const unknowns = [...told.unknowns]
  const relations = new Set(told.relations)
  if (told.read === undefined) unknowns.push({ access: 'unknown', verb: 'select', object: view.id })
  for (const [relation] of parts.index.viewReads(view)) {
    for (const one of [relation, ...parts.index.family(relation)]) {
      relations.add(one.id)
      for (const column of one.columns ?? []) columns.add(`${one.id}.${column.name}`)
      const under = one.definition === null || one === view ? noLineage : parts.lineage(one)
      for (const column of one.columns ?? []) for (const id of under.column(column.name)) columns.add(id)
      for (const id of under.always) columns.add(id)
      for (const id of under.relations) relations.add(id)
      unknowns.push(...under.unknowns)
    }
  }
  return { column: () => columns, plain: () => undefined, always: columns, relations: [...relations], unknowns }
}
