// From names to relations, and what reading one of them means: its family and, for a view, what lies under it, are read as well.

import type { Access } from '@sallyport/core'
import { isSystem, isTelling, isTellingColumn } from './builtins.js'
import { unknownRelation } from './catalog-index.js'
import type { Relation } from './catalog-index.js'
import type { Walk } from './walk.js'

export interface RelationName {
  readonly schemaname?: string | undefined
  readonly relname?: string | undefined
}

/**
 * Every relation the name may mean: for a name without schema the one in each schema of the path, in pg_temp and pg_catalog, which
 * are searched first though no path names them. None known: one that tells no more than its name.
 */
export function relationsNamed(w: Walk, name: RelationName): readonly Relation[] {
  const relname = name.relname ?? ''
  const isTemporary = name.schemaname === 'pg_temp'
  const schemas =
    name.schemaname === undefined || isTemporary
      ? [...(isTemporary ? [] : w.names.schemas), ...(isTemporary ? [] : ['pg_catalog']), ...w.index.temporarySchemas]
      : [name.schemaname]
  const found = [...new Set(schemas)].flatMap((schema) => w.index.relation(schema, relname) ?? [])
  if (found.length > 0) return found
  return [unknownRelation(name.schemaname === undefined || isTemporary ? '?' : name.schemaname, relname)]
}

function isView(relation: Relation): boolean {
  return (relation.kind === 'v' || relation.kind === 'm') && !isSystem(relation)
}

/** The relation's rows are read, whatever of them. */
export function readRelation(w: Walk, relation: Relation): void {
  w.effects.add('read', 'select', relation.id, { columns: [] })
  if (isTelling(relation)) w.effects.unknown('select', relation.id)
  if (w.index.rules(relation).includes('1')) w.effects.unknown('select', relation.id)
  for (const kin of w.index.family(relation)) w.effects.add('read', 'select', kin.id, { columns: [] })
  if (!isView(relation)) return
  const lineage = w.lineage(relation)
  w.effects.addAll(lineage.unknowns)
  for (const base of lineage.relations) w.effects.add('read', 'select', base, { columns: [] })
  addColumns(w, lineage.always)
  w.effects.touch(lineage.always)
}

export function readColumn(w: Walk, relation: Relation, column: string): void {
  const id = `${relation.id}.${column}`
  w.effects.add('read', 'select', relation.id, { columns: [id] })
  w.effects.touch([id])
  w.masking?.sees(relation, column)
  if (isTellingColumn(relation, column)) w.effects.unknown('select', relation.id)
  for (const part of w.index.madeOf(relation, column)) readColumn(w, relation, part)
  for (const kin of w.index.family(relation)) {
    if (!kin.columns?.some((one) => one.name === column)) continue
    w.effects.add('read', 'select', kin.id, { columns: [`${kin.id}.${column}`] })
    w.effects.touch([`${kin.id}.${column}`])
  }
  if (!isView(relation)) return
  const under = w.lineage(relation).column(column)
  addColumns(w, under)
  w.effects.touch(under)
}

function addColumns(w: Walk, columns: Iterable<string>): void {
  for (const column of columns) w.effects.add('read', 'select', column.slice(0, column.lastIndexOf('.')), { columns: [column] })
}

export function readEverything(w: Walk, relation: Relation): void {
  readRelation(w, relation)
  if (relation.columns === undefined) readColumn(w, relation, '*')
  else for (const column of relation.columns) readColumn(w, relation, column.name)
}

/** A write reaches the family too and, through a view, what lies under it. */
export function writeRelation(
  w: Walk,
  relation: Relation,
  verb: string,
  more: { readonly columns?: readonly string[]; readonly bounded?: boolean } = {},
  access: Access = 'write',
): void {
  const { columns, ...rest } = more
  const reached = [relation, ...w.index.family(relation)]
  for (const one of reached) {
    const set = columns?.filter((column) => one === relation || one.columns?.some((known) => known.name === column))
    w.effects.add(access, verb, one.id, {
      ...rest,
      ...(set === undefined ? {} : { columns: set.map((column) => `${one.id}.${column}`) }),
    })
  }
  if (isSystem(relation)) w.effects.unknown(verb, relation.id)
  if (!isView(relation)) return
  const lineage = w.lineage(relation)
  w.effects.addAll(lineage.unknowns)
  for (const base of lineage.relations) {
    const under = columns?.flatMap((column) => [...lineage.column(column)].filter((id) => id.startsWith(`${base}.`)))
    w.effects.add(access, verb, base, { ...rest, ...(under === undefined ? {} : { columns: under }) })
  }
}

/** A relation is made. Which schema a name without one falls into is not known beforehand. */
export function creates(
  w: Walk,
  range: (RelationName & { readonly relpersistence?: string }) | undefined,
  access: Access = 'schema',
): void {
  const schema = range?.schemaname ?? (range?.relpersistence === 't' ? 'pg_temp' : '?')
  w.effects.add(access, 'create', `${schema}.${range?.relname ?? ''}`)
  w.facts.changesCatalog = true
  w.facts.dataWrites++
}
