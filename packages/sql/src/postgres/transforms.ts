// What becomes of a masked value, as SQL of the column's own type. NULL stays NULL. Functions, operators and types are pg_catalog's by name,
// so that nothing in a search_path can stand in for them.

import type { Transform } from '@sallyport/core'
import type { CatalogIndex } from './catalog-index.js'
import type { CatalogColumn } from './catalog.js'

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

interface Kind {
  /** The type to give the result, quoted, with its length where it has one. */
  readonly name: string
  readonly isText: boolean
}

/** Text-like types keep a masked text; a domain is masked as what it is a domain over, whose checks a masked value need not pass. */
function kindOf(index: CatalogIndex, column: CatalogColumn): Kind {
  let type = index.type(column.typeOid)
  let typmod = column.typmod
  while (type?.kind === 'd') {
    if (type.baseTypmod >= 0) typmod = type.baseTypmod
    type = index.type(type.baseOid)
  }
  if (type === undefined) return { name: 'pg_catalog.text', isText: false }
  const name = `${quoted(type.schema)}.${quoted(type.name)}`
  const isText = (type.schema === 'pg_catalog' && ['text', 'varchar', 'bpchar'].includes(type.name)) || type.name === 'citext'
  // The typmod of varchar and bpchar is the length and VARHDRSZ, 4 (varchar.c).
  const hasLength = type.schema === 'pg_catalog' && ['varchar', 'bpchar'].includes(type.name) && typmod > 4
  return { name: hasLength ? `${name}(${typmod - 4})` : name, isText }
}

/** E-mail keeps the first letter (where there is more than one before the @) and the domain; all else its last 4 characters, if it is longer. */
function partial(value: string): string {
  const at = `pg_catalog.strpos(${value}, '@')`
  return `CASE WHEN ${value} OPERATOR(pg_catalog.~) '^[^@[:space:]]+@[A-Za-z0-9.-]+$'
    THEN pg_catalog.left(${value}, CASE WHEN ${at} OPERATOR(pg_catalog.>) 2 THEN 1 ELSE 0 END)
      OPERATOR(pg_catalog.||) '***' OPERATOR(pg_catalog.||) pg_catalog.substr(${value}, ${at})
    WHEN pg_catalog.length(${value}) OPERATOR(pg_catalog.<=) 4 THEN pg_catalog.repeat('*', pg_catalog.length(${value}))
    ELSE pg_catalog.repeat('*', pg_catalog.length(${value}) OPERATOR(pg_catalog.-) 4) OPERATOR(pg_catalog.||) pg_catalog.right(${value}, 4) END`
}

function digest(value: string, salt: string): string {
  const salted = `${literal(salt)} OPERATOR(pg_catalog.||) ${value}`
  return `pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${salted}, 'UTF8')), 'hex'), 1, 16)`
}

function masked(value: string, transform: Transform, salt: string): string {
  switch (transform) {
    case 'null':
      return 'NULL'
    case 'redact':
      return `'[redacted]'`
    case 'partial':
      return partial(value)
    case 'hash':
      return digest(value, salt)
    case 'token':
      return `'tok_' OPERATOR(pg_catalog.||) ${digest(value, salt)}`
  }
}

// COALESCE of one value is that value; the deparser spells a cast of a bare column or constant as `x::text` and loses the type's schema.

/** SQL for the masked value of the column that `reference` (quoted) names. */
export function maskedSql(
  index: CatalogIndex,
  column: CatalogColumn,
  transform: Transform,
  reference: string,
  salt: string,
): string {
  const kind = kindOf(index, column)
  if (transform === 'null' || !kind.isText) return `CAST(COALESCE(NULL) AS ${kind.name})`
  const value = `CAST(COALESCE(${reference}) AS pg_catalog.text)`
  return `CAST(CASE WHEN ${reference} IS NULL THEN NULL ELSE ${masked(value, transform, salt)} END AS ${kind.name})`
}
