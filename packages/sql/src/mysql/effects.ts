// What statements do to which tables and columns, in the words of the rules. Where names could mean more than one thing, they count as all of them.

import { matchesAnyName } from '@sallyport/core'
import type { Effect } from '@sallyport/core'
import { columnsOf } from './catalog.js'
import type { MysqlTable } from './catalog.js'
import type { TableName } from './reading.js'
import type { Statement, Written } from './statement.js'
import type { MysqlContext } from './understand.js'
import { pureFunctions } from './words.js'

const openInformation =
  /^(applicable_roles|character_sets|check_constraints|collations|collation_character_set_applicability|columns|column_privileges|enabled_roles|engines|events|files|key_column_usage|keywords|parameters|partitions|plugins|referential_constraints|routines|schemata|schema_privileges|sequences|statistics|system_variables|tables|tablespaces|table_constraints|table_privileges|triggers|user_privileges|views|st_geometry_columns)$/

/** What every account may read of the server's description of itself; its columns hold nobody's data. */
export function isOpenInformation(database: string, name: string): boolean {
  return database.toLowerCase() === 'information_schema' && openInformation.test(name.toLowerCase())
}

export class Effects {
  readonly #context: MysqlContext
  readonly #drafts = new Map<
    string,
    { access: Effect['access']; verb: string; object: string; columns: Set<string> | undefined; bounded: boolean | undefined }
  >()

  constructor(context: MysqlContext) {
    this.#context = context
  }

  get all(): Effect[] {
    return [...this.#drafts.values()].map(({ columns, bounded, ...effect }) => ({
      ...effect,
      ...(columns === undefined ? {} : { columns: [...columns] }),
      ...(bounded === undefined ? {} : { bounded }),
    }))
  }

  of(statement: Statement): void {
    this.#reads(statement)
    for (const written of statement.written) for (const change of this.#changes(written)) this.#writes(written, change)
    for (const { access, verb, object } of statement.done) {
      const name = object === undefined ? '' : typeof object === 'string' ? object : this.nameOf(object)
      const trusted = verb === 'call' && matchesAnyName(this.#context.trustedFunctions, name)
      this.add({ access: trusted ? 'write' : access, verb, object: name })
    }
    for (const table of statement.whole) this.#readsWhole(table)
    if (statement.reading.marks.has('outfile')) this.add({ access: 'admin', verb: 'copy', object: '' })
    this.#functions(statement)
  }

  /** The tables that a write changes; of those that only stand beside it in a join, none of the columns is set. */
  #changes({ verb, table, columns }: Written): Change[] {
    return this.#tables(table).flatMap((known): Change[] => {
      const named = known.table === undefined ? columns : columns.filter((each) => has(known.table as MysqlTable, each))
      if (verb === 'update' && columns.length > 0 && named.length === 0) return []
      const all = columns.length === 0 && verb !== 'delete' && known.table !== undefined
      return [{ known, columns: all ? (known.table?.columns ?? []).map(({ name }) => name) : named }]
    })
  }

  #writes({ verb, bounded }: Written, { known, columns }: Change): void {
    const narrowed = bounded === undefined || verb === 'insert' || verb === 'replace' ? {} : { bounded }
    const spelled = columns.map((each) => `${known.object}.${spelling(known.table, each)}`)
    const touched = spelled.length === 0 ? {} : { columns: spelled }
    this.add({ access: 'write', verb, object: known.object, ...touched, ...narrowed })
    if (known.table?.isView === true) this.#writesThrough(known.table, verb, columns, narrowed)
  }

  /** A view passes writes on to what it is made of; where that cannot be told it is unknown. */
  #writesThrough(view: MysqlTable, verb: string, columns: readonly string[], narrowed: Pick<Effect, 'bounded'>): void {
    const wanted = verb === 'delete' ? view.columns.map(({ name }) => name) : columns.map((each) => spelling(view, each))
    const origins = new Set(wanted.flatMap((each) => [...(view.lineage?.get(each) ?? [])]))
    if (origins.size === 0) this.add({ access: 'unknown', verb, object: `${view.database}.${view.name}` })
    for (const origin of origins) {
      const touched = verb === 'delete' ? {} : { columns: [origin] }
      this.add({ access: 'write', verb, object: origin.slice(0, origin.lastIndexOf('.')), ...touched, ...narrowed })
    }
  }

  #reads(statement: Statement): void {
    const { reading } = statement
    const { catalog, database } = this.#context
    const read = new Map<MysqlTable, Set<string>>()
    for (const reference of reading.columns) {
      for (const { table, name } of columnsOf(statement, reference, database, catalog)) {
        const columns = read.get(table) ?? new Set()
        read.set(table, columns.add(name))
      }
    }
    const changed = statement.written.filter((written) => this.#changes(written).length > 0)
    const targets = new Set(changed.map(({ table }) => table))
    for (const reference of reading.tables) {
      for (const known of this.#tables(reference)) {
        const columns = known.table === undefined ? undefined : read.get(known.table)
        if (targets.has(reference) && columns === undefined && known.table !== undefined) continue
        if (targets.has(reference) && known.table === undefined && known.temporary) continue
        this.#readsTable(known, columns ?? new Set())
      }
    }
    for (const { name } of reading.shadowed) {
      for (const table of catalog.find(database, name)) this.#readsWhole({ database: table.database, name: table.name })
    }
  }

  #readsTable(known: Known, columns: ReadonlySet<string>): void {
    const { object, table } = known
    if (table !== undefined) {
      this.add({ access: 'read', verb: 'select', object, columns: [...columns].map((column) => `${object}.${column}`) })
      if (table.isView) this.#readsThrough(table, columns)
      return
    }
    const [database, name] = splitName(object)
    if (known.temporary || isOpenInformation(database, name)) {
      return this.add({ access: 'read', verb: 'select', object })
    }
    // Not in the catalogue: what columns it has cannot be told.
    this.add({ access: 'unknown', verb: 'select', object })
  }

  /** A view shows what it is made of; where that cannot be told it is unknown. */
  #readsThrough(view: MysqlTable, columns: ReadonlySet<string>): void {
    if (view.lineage === undefined) return this.add({ access: 'unknown', verb: 'select', object: `${view.database}.${view.name}` })
    for (const column of columns) {
      for (const origin of view.lineage.get(column) ?? []) {
        this.add({ access: 'read', verb: 'select', object: origin.slice(0, origin.lastIndexOf('.')), columns: [origin] })
      }
    }
  }

  #readsWhole(name: TableName): void {
    for (const known of this.#tables(name)) {
      if (known.table !== undefined) this.#readsTable(known, new Set(known.table.columns.map((column) => column.name)))
    }
  }

  #functions({ reading }: Statement): void {
    for (const { database, name } of reading.functions) {
      const stored = this.#context.catalog.hasFunction(this.#context.database, name)
      if (database === undefined && pureFunctions.has(name) && !stored) continue
      const object = `${database ?? (this.#context.database === '' ? '?' : this.#context.database)}.${name.toLowerCase()}`
      if (matchesAnyName(this.#context.trustedFunctions, object)) continue
      this.add({ access: 'unknown', verb: 'call', object })
    }
  }

  /** The first table it may mean, by its full name. */
  nameOf({ database, name }: TableName): string {
    const [known] = this.#tables({ database, name })
    return known?.object ?? name
  }

  #tables({ database, name }: TableName): Known[] {
    const inside = database ?? this.#context.database
    const object = `${inside === '' ? '?' : inside}.${name}`
    const found = this.#context.catalog.find(inside, name)
    const temporary = this.#context.temporaries.has(object.toLowerCase())
    if (found.length === 0) return [{ object: isOwn(inside) ? object.toLowerCase() : object, table: undefined, temporary }]
    return found.map((table) => ({ object: `${table.database}.${table.name}`, table, temporary }))
  }

  add({ access, verb, object, columns, bounded }: Effect): void {
    const id = `${access} ${verb} ${object}`
    const draft = this.#drafts.get(id) ?? { access, verb, object, columns: undefined, bounded: undefined }
    this.#drafts.set(id, draft)
    if (columns !== undefined) {
      draft.columns ??= new Set()
      for (const column of columns) draft.columns.add(column)
    }
    if (bounded !== undefined) draft.bounded = (draft.bounded ?? true) && bounded
  }
}

interface Change {
  readonly known: Known
  readonly columns: readonly string[]
}

interface Known {
  readonly object: string
  readonly table: MysqlTable | undefined
  readonly temporary: boolean
}

const isOwn = (database: string): boolean =>
  ['information_schema', 'performance_schema', 'mysql', 'sys'].includes(database.toLowerCase())

function splitName(object: string): [string, string] {
  const dot = object.indexOf('.')
  return [object.slice(0, dot), object.slice(dot + 1)]
}

function has(table: MysqlTable, column: string): boolean {
  return table.columns.some(({ name }) => name.toLowerCase() === column.toLowerCase())
}

function spelling(table: MysqlTable | undefined, column: string): string {
  return table?.columns.find(({ name }) => name.toLowerCase() === column.toLowerCase())?.name ?? column
}
