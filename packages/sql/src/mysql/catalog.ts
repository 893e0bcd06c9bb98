// What a MySQL server says there is: tables with their columns, and the texts of views. Read over a side connection, as rows of text.

import { lex } from './lexer.js'
import { parse } from './parse.js'
import { sees } from './reading.js'
import type { ColumnReference } from './reading.js'
import { serverVersion } from './server-version.js'
import type { ServerVersion } from './server-version.js'
import type { Statement } from './statement.js'

export interface MysqlColumn {
  readonly name: string
  /** information_schema.COLUMNS.DATA_TYPE: `varchar`, `int`, ... */
  readonly type: string
  /** COLUMN_TYPE: `varchar(40)`, `int(10) unsigned`, ... */
  readonly fullType: string
}

export interface MysqlTable {
  readonly database: string
  readonly name: string
  readonly columns: readonly MysqlColumn[]
  /** The columns by their names as names are compared. */
  readonly byName: ReadonlyMap<string, readonly MysqlColumn[]>
  /** For a view: `database.table.column` of all that each column is made of; undefined: it cannot be told. */
  readonly lineage?: ReadonlyMap<string, ReadonlySet<string>> | undefined
  readonly isView: boolean
}

const ownDatabases = `('information_schema', 'performance_schema', 'sys', 'mysql')`

export const mysqlCatalogQueries = {
  columns: `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN ${ownDatabases} ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`,
  views: `SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN ${ownDatabases}`,
  version: 'SELECT VERSION()',
  functions: `SELECT ROUTINE_SCHEMA, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_TYPE = 'FUNCTION' AND ROUTINE_SCHEMA NOT IN ${ownDatabases}`,
} as const

/** What the queries brought: a catalogue travels to another thread as this. */
export interface MysqlCatalogRows {
  readonly columns: Rows
  readonly views: Rows
  readonly functions: Rows
  /** What VERSION() said; '' where nobody asked. */
  readonly version: string
}

type Rows = readonly (readonly (string | null)[])[]

/** Names are compared without regard to case, and as loosely as the server compares them: what could be the same is. */
function nameKey(name: string): string {
  // oxlint-disable-next-line no-control-regex -- the range is ASCII itself
  if (/^[\0-\x7f]*$/.test(name)) return name.toLowerCase()
  return name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toUpperCase()
    .toLowerCase()
}

const key = (database: string, name: string): string => `${nameKey(database)}\0${nameKey(name)}`

export class MysqlCatalog {
  readonly #tables = new Map<string, MysqlTable[]>()

  readonly #functions: ReadonlySet<string>
  readonly rows: MysqlCatalogRows
  readonly server: ServerVersion | undefined

  constructor(columns: Rows, views: Rows, functions: Rows, version = '') {
    this.rows = { columns, views, functions, version }
    this.server = serverVersion(version)
    this.#functions = new Set(functions.map(([database, name]) => key(database ?? '', name ?? '')))
    const texts = new Map(views.map(([database, name, text]) => [`${database}\0${name}`, text ?? '']))
    for (const table of groupColumns(columns)) {
      const isView = texts.has(`${table.database}\0${table.name}`)
      const known = this.#tables.get(key(table.database, table.name)) ?? []
      this.#tables.set(key(table.database, table.name), [...known, { ...table, isView }])
    }
    for (const [name, text] of texts) this.#trace(name, text, texts, new Set())
  }

  /** Whether it was made of just these rows. */
  isOf({ columns, views, functions, version }: MysqlCatalogRows): boolean {
    return (
      this.rows.version === version &&
      sameRows(this.rows.columns, columns) &&
      sameRows(this.rows.views, views) &&
      sameRows(this.rows.functions, functions)
    )
  }

  /** Every table the name may mean; none: it is not known. */
  find(database: string, name: string): readonly MysqlTable[] {
    const all = this.#tables.get(key(database, name)) ?? []
    const exact = all.filter((table) => table.database === database && table.name === name)
    return exact.length > 0 ? exact : all
  }

  /** Whether there is a stored function of this name: it may be meant where a built-in one of some other server is named. */
  hasFunction(database: string, name: string): boolean {
    return this.#functions.has(key(database, name))
  }

  /** Views may read views: those are traced first. */
  #trace(
    name: string,
    text: string,
    texts: ReadonlyMap<string, string>,
    open: Set<string>,
  ): ReadonlyMap<string, ReadonlySet<string>> | undefined {
    const [database = '', table = ''] = name.split('\0')
    const all = this.#tables.get(key(database, table)) ?? []
    const view = all.find((each) => each.database === database && each.name === table)
    if (view === undefined || open.has(name)) return undefined
    if (view.lineage !== undefined) return view.lineage
    const inner = (found: MysqlTable): MysqlTable['lineage'] => {
      const id = `${found.database}\0${found.name}`
      return this.#trace(id, texts.get(id) ?? '', texts, new Set([...open, name]))
    }
    const lineage = traceView(view, text, this, inner)
    this.#tables.set(key(database, table), [...all.filter((each) => each !== view), { ...view, lineage }])
    return lineage
  }
}

function sameRows(one: Rows, other: Rows): boolean {
  return one.length === other.length && one.every((row, at) => row.every((cell, place) => cell === other[at]?.[place]))
}

function groupColumns(rows: Rows): Omit<MysqlTable, 'isView'>[] {
  const tables = new Map<string, { database: string; name: string; columns: MysqlColumn[] }>()
  for (const [database, table, name, type, fullType] of rows) {
    if (database == null || table == null || name == null) continue
    const id = `${database}\0${table}`
    const found = tables.get(id) ?? { database, name: table, columns: [] }
    found.columns.push({ name, type: (type ?? '').toLowerCase(), fullType: (fullType ?? '').toLowerCase() })
    tables.set(id, found)
  }
  return [...tables.values()].map((table) => ({ ...table, byName: keyed(table.columns) }))
}

function keyed(columns: readonly MysqlColumn[]): ReadonlyMap<string, readonly MysqlColumn[]> {
  const found = new Map<string, readonly MysqlColumn[]>()
  for (const column of columns) found.set(nameKey(column.name), [...(found.get(nameKey(column.name)) ?? []), column])
  return found
}

/** Coarse and safe: every column of a view is made of every column its text names. */
function traceView(
  view: MysqlTable,
  text: string,
  catalog: MysqlCatalog,
  inner: (table: MysqlTable) => MysqlTable['lineage'],
): ReadonlyMap<string, ReadonlySet<string>> | undefined {
  const statement = parsed(text, catalog.server)
  if (statement === undefined) return undefined
  const origins = new Map<ColumnReference, Set<string>>()
  for (const reference of statement.reading.columns) {
    const found = new Set<string>()
    for (const column of columnsOf(statement, reference, view.database, catalog)) {
      if (column.table.isView) {
        const under = inner(column.table)?.get(column.name)
        if (under === undefined) return undefined
        for (const each of under) found.add(each)
      } else found.add(`${column.table.database}.${column.table.name}.${column.name}`)
    }
    origins.set(reference, found)
  }
  const items = simpleItems(statement, view.columns.length)
  const every = new Set([...origins.values()].flatMap((each) => [...each]))
  const made = view.columns.map((column, index): [string, ReadonlySet<string>] => {
    const item = items?.[index]
    if (item === undefined) return [column.name, every]
    return [
      column.name,
      new Set(
        [...origins]
          .filter(([reference]) => reference.start >= item.start && reference.start < item.end)
          .flatMap(([, found]) => [...found]),
      ),
    ]
  })
  return new Map(made)
}

function parsed(text: string, server: ServerVersion | undefined): Statement | undefined {
  if (text === '') return undefined
  try {
    const statements = parse(lex(Buffer.from(text, 'utf8').toString('latin1'), server).tokens, server)
    return statements.length === 1 && statements[0]?.kind === 'query' ? statements[0] : undefined
  } catch {
    return undefined
  }
}

/** The select items of a single SELECT over plain tables; undefined where there is more to it. */
function simpleItems(statement: Statement, count: number): readonly { readonly start: number; readonly end: number }[] | undefined {
  const { tables, items } = statement.reading
  const blocks = new Set(tables.map((table) => table.block))
  return blocks.size === 1 && items.length === count && items.every((item) => blocks.has(item.block)) ? items : undefined
}

export interface TableColumn {
  readonly table: MysqlTable
  readonly name: string
}

/** Every column of a known table that the reference may mean. */
export function columnsOf(
  statement: Statement,
  reference: ColumnReference,
  database: string,
  catalog: MysqlCatalog,
): TableColumn[] {
  const name = reference.parts[reference.parts.length - 1] as string
  const qualifier = reference.parts.length > 1 ? nameKey(reference.parts[reference.parts.length - 2] as string) : undefined
  const wanted = nameKey(name)
  const found: TableColumn[] = []
  for (const table of statement.reading.tables) {
    const inSight =
      name === '*' && qualifier === undefined
        ? table.block === reference.block || reference.block.wide
        : sees(reference.block, table.block)
    if (!inSight) continue
    if (qualifier !== undefined && nameKey(table.alias ?? table.name) !== qualifier) continue
    for (const known of catalog.find(table.database ?? database, table.name)) {
      const columns = name === '*' ? known.columns : (known.byName.get(wanted) ?? [])
      for (const column of columns) found.push({ table: known, name: column.name })
    }
  }
  return found
}
