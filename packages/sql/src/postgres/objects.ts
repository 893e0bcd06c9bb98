// Statements about objects rather than rows: what is made, changed or dropped, and by how much of an administrator.

import type { Access } from '@sallyport/core'
import type { Relation } from './catalog-index.js'
import { relationsNamed, writeRelation } from './reads.js'
import type { RelationName } from './reads.js'
import { Scope } from './scope.js'
import { isBody, nameOf, namesOf, tagged, textOf } from './tree.js'
import type { Body } from './tree.js'
import type { Walk } from './walk.js'

export function asRange(value: unknown): RelationName | undefined {
  const body = tagged(value)?.kind === 'RangeVar' ? tagged(value)?.body : value
  return isBody(body) && typeof body.relname === 'string' ? body : undefined
}

/** A name written as a list of strings, or as an ObjectWithArgs or a TypeName. */
function parts(value: unknown): string[] {
  const found = tagged(value)
  if (found?.kind === 'List') return namesOf(found.body.items as readonly unknown[])
  if (found?.kind === 'ObjectWithArgs') return namesOf(found.body.objname as readonly unknown[])
  if (found?.kind === 'TypeName') return namesOf(found.body.names as readonly unknown[])
  const name = nameOf(value)
  return name === undefined ? [] : [name]
}

const relationKinds: ReadonlySet<unknown> = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_FOREIGN_TABLE',
  'OBJECT_INDEX',
])

/** Kinds whose name ends in something that belongs to a relation. */
const partKinds: ReadonlySet<unknown> = new Set([
  'OBJECT_COLUMN',
  'OBJECT_RULE',
  'OBJECT_TRIGGER',
  'OBJECT_POLICY',
  'OBJECT_TABCONSTRAINT',
])

const adminKinds: ReadonlySet<unknown> = new Set([
  'OBJECT_DATABASE',
  'OBJECT_ROLE',
  'OBJECT_TABLESPACE',
  'OBJECT_EXTENSION',
  'OBJECT_FDW',
  'OBJECT_FOREIGN_SERVER',
  'OBJECT_EVENT_TRIGGER',
  'OBJECT_LANGUAGE',
  'OBJECT_ACCESS_METHOD',
  'OBJECT_PUBLICATION',
  'OBJECT_SUBSCRIPTION',
  'OBJECT_LARGEOBJECT',
  'OBJECT_POLICY',
  'OBJECT_PARAMETER_ACL',
  'OBJECT_USER_MAPPING',
  'OBJECT_DEFACL',
])

export function accessTo(kind: unknown): Access {
  return adminKinds.has(kind) ? 'admin' : 'schema'
}

/** The relations an object's name is about; empty where it is about none. */
export function relationsOf(w: Walk, kind: unknown, object: unknown): readonly Relation[] {
  const range = asRange(object)
  if (range !== undefined) return relationsNamed(w, range)
  const all = parts(object)
  const names = partKinds.has(kind) ? all.slice(0, -1) : relationKinds.has(kind) ? all : []
  const relname = names[names.length - 1]
  if (relname === undefined) return []
  return relationsNamed(w, { relname, schemaname: names[names.length - 2] })
}

/** One effect for each object: for a schema all relations in it, and `schema.*`. */
export function affects(w: Walk, access: Access, verb: string, kind: unknown, object: unknown): void {
  w.facts.changesCatalog = true
  const relations = relationsOf(w, kind, object)
  for (const relation of relations) w.effects.add(access, verb, relation.id)
  if (relations.length > 0) return
  const names = parts(object)
  const name = names[names.length - 1] ?? ''
  if (kind === 'OBJECT_SCHEMA') {
    for (const relation of w.index.inSchema(name)) w.effects.add(access, verb, relation.id)
    w.effects.add(access, verb, `${name}.*`)
  } else if (accessTo(kind) === 'admin' || name === '') w.effects.add(access, verb, '')
  else w.effects.add(access, verb, `${names[names.length - 2] ?? '?'}.${name}`)
}

/** What is defined anew may show its columns under other names: all of them are touched, the family's, and what lies under a view. */
export function redefines(w: Walk, access: Access, verb: string, relations: readonly Relation[]): void {
  for (const relation of relations)
    writeRelation(w, relation, verb, { columns: (relation.columns ?? []).map(({ name }) => name) }, access)
}

/** Reads a definition's inside: expressions, types, defaults, and the relations it names. */
export function definition(w: Walk, access: Access, verb: string, inside: unknown): void {
  const around = w.facts.defining
  w.facts.defining = { access, verb }
  w.facts.changesCatalog = true
  try {
    w.expression(inside, new Scope(undefined, true))
  } finally {
    w.facts.defining = around
  }
}

/** The relation is changed or built upon: `verb` on it, and no rewriting can help where it is masked. */
export function mention(w: Walk, value: unknown): void {
  const range = asRange(value)
  if (range === undefined) return
  const { access, verb } = w.facts.defining
  const relations = relationsNamed(w, range)
  redefines(w, access, verb, relations)
  w.masking?.refuse(relations, `${verb} by a definition`)
}

export function hasOption(body: Body, field: string, name: RegExp): boolean {
  return ((body[field] ?? []) as readonly unknown[]).some((option) => name.test(textOf(tagged(option)?.body.defname)))
}
