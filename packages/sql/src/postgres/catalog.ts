// What a server's catalogue says, as plain data that can be handed to a worker.

import { Misconfigured } from '@sallyport/core'

export interface CatalogColumn {
  readonly attnum: number
  readonly name: string
  readonly typeOid: number
  readonly typmod: number
  /** As `format_type` spells it. */
  readonly type: string
  readonly generated: boolean
}

/** `kind` is pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign table, S sequence. */
export interface CatalogRelation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly columns: readonly CatalogColumn[]
  /** The query of a view or materialized view that users made. */
  readonly definition: string | null
}

export interface CatalogType {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** pg_type.typtype: b base, d domain, e enum, r range, c composite ... */
  readonly kind: string
  readonly baseOid: number
  readonly baseTypmod: number
}

export interface CatalogFunction {
  readonly schema: string
  readonly name: string
  readonly extension: string | null
  readonly trigger: boolean
}

export interface CatalogOperator {
  readonly schema: string
  readonly name: string
  readonly extension: string | null
}

export interface CatalogCast {
  readonly targetSchema: string
  readonly targetName: string
  readonly extension: string | null
  /** `schema.name` of the function it runs. */
  readonly through: string
}

export interface PostgresCatalog {
  readonly version: number
  readonly user: string
  /** The session's search_path as it was in force, implicit schemas included. */
  readonly schemas: readonly string[]
  readonly relations: readonly CatalogRelation[]
  /** [child, parent] object ids. */
  readonly parents: readonly (readonly [number, number])[]
  /** [referencing, referenced] object ids of foreign keys. */
  readonly references: readonly (readonly [number, number])[]
  /** [view, relation, attribute number or 0] object ids, as pg_depend has them. */
  readonly viewReads: readonly (readonly [number, number, number])[]
  /** [relation, generated column, column it is made of]; the columns by number. */
  readonly generatedFrom: readonly (readonly [number, number, number])[]
  /** [relation, event] of rules users made; event 1 select, 2 update, 3 insert, 4 delete. */
  readonly rules: readonly (readonly [number, string])[]
  readonly types: readonly CatalogType[]
  readonly functions: readonly CatalogFunction[]
  readonly operators: readonly CatalogOperator[]
  readonly casts: readonly CatalogCast[]
}

export const emptyCatalog: PostgresCatalog = {
  version: 0,
  user: '',
  schemas: [],
  relations: [],
  parents: [],
  references: [],
  viewReads: [],
  generatedFrom: [],
  rules: [],
  types: [],
  functions: [],
  operators: [],
  casts: [],
}

type Row = readonly unknown[]

function wrong(what: string): Misconfigured {
  return new Misconfigured('catalog', `the database's catalogue cannot be read: ${what} is not as expected`)
}

function text(row: Row, at: number, what: string): string {
  const value = row[at]
  if (typeof value !== 'string') throw wrong(what)
  return value
}

function optionalText(row: Row, at: number, what: string): string | null {
  return row[at] === null || row[at] === undefined ? null : text(row, at, what)
}

function number(row: Row, at: number, what: string): number {
  const value = row[at]
  if (typeof value !== 'number') throw wrong(what)
  return value
}

function rows(value: unknown, what: string): readonly Row[] {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value) || !value.every((row) => Array.isArray(row))) throw wrong(what)
  return value
}

function column(row: Row): CatalogColumn {
  return {
    attnum: number(row, 0, 'a column'),
    name: text(row, 1, 'a column'),
    typeOid: number(row, 2, 'a column'),
    typmod: number(row, 3, 'a column'),
    type: text(row, 4, 'a column'),
    generated: row[5] === true,
  }
}

function relation(row: Row): CatalogRelation {
  return {
    oid: number(row, 0, 'a relation'),
    schema: text(row, 1, 'a relation'),
    name: text(row, 2, 'a relation'),
    kind: text(row, 3, 'a relation'),
    columns: rows(row[4], 'the columns').map(column),
    definition: optionalText(row, 5, 'a view'),
  }
}

function type(row: Row): CatalogType {
  return {
    oid: number(row, 0, 'a type'),
    schema: text(row, 1, 'a type'),
    name: text(row, 2, 'a type'),
    kind: text(row, 3, 'a type'),
    baseOid: number(row, 4, 'a type'),
    baseTypmod: number(row, 5, 'a type'),
  }
}

/** Reads the cell that `postgresCatalogQuery` gave. Throws Misconfigured where it is something else. */
export function parsePostgresCatalog(json: string): PostgresCatalog {
  const parsed: unknown = JSON.parse(json)
  if (typeof parsed !== 'object' || parsed === null) throw wrong('the answer')
  const cell = parsed as Readonly<Record<string, unknown>>
  if (typeof cell.version !== 'number' || typeof cell.user !== 'string' || !Array.isArray(cell.schemas)) throw wrong('the answer')
  const pair = (row: Row): readonly [number, number] => [number(row, 0, 'a pair'), number(row, 1, 'a pair')]
  const triple = (row: Row): readonly [number, number, number] => [...pair(row), number(row, 2, 'a triple')]
  return {
    version: cell.version,
    user: cell.user,
    schemas: cell.schemas.map(String),
    relations: rows(cell.relations, 'the relations').map(relation),
    parents: rows(cell.parents, 'the parents').map(pair),
    references: rows(cell.references, 'the foreign keys').map(pair),
    viewReads: rows(cell.viewReads, 'the views').map(triple),
    generatedFrom: rows(cell.generatedFrom, 'the generated columns').map(triple),
    rules: rows(cell.rules, 'the rules').map((row) => [number(row, 0, 'a rule'), text(row, 1, 'a rule')] as const),
    types: rows(cell.types, 'the types').map(type),
    functions: rows(cell.functions, 'the functions').map((row) => ({
      schema: text(row, 0, 'a function'),
      name: text(row, 1, 'a function'),
      extension: optionalText(row, 2, 'a function'),
      trigger: row[3] === true,
    })),
    operators: rows(cell.operators, 'the operators').map((row) => ({
      schema: text(row, 0, 'an operator'),
      name: text(row, 1, 'an operator'),
      extension: optionalText(row, 2, 'an operator'),
    })),
    casts: rows(cell.casts, 'the casts').map((row) => ({
      targetSchema: text(row, 2, 'a cast'),
      targetName: text(row, 3, 'a cast'),
      extension: optionalText(row, 4, 'a cast'),
      through: text(row, 5, 'a cast'),
    })),
  }
}
