// From parsed statements to what they do: effects in the words of the rules. Where names could mean more than one thing, they count as all of them.

import { matchesAnyName } from '@sallyport/core'
import type { Effect } from '@sallyport/core'
import { columnsOf } from './catalog.js'
import type { MysqlCatalog, MysqlTable } from './catalog.js'
import { NotUnderstood } from './cursor.js'
import { decode, lex, LexFault } from './lexer.js'
import type { Lexed } from './lexer.js'
import { parse } from './parse.js'
import type { TableName } from './reading.js'
import type { Statement, Written } from './statement.js'
import { pureFunctions } from './words.js'

export interface MysqlContext {
  readonly catalog: MysqlCatalog
  /** The session's default database; '?' where it cannot be told, '' where there is none. */
  readonly database: string
  /** `database.table` of temporary tables made in this session, in lower case. */
  readonly temporaries: ReadonlySet<string>
  readonly trustedFunctions: readonly string[]
}

export interface MysqlUnderstanding {
  readonly effects: readonly Effect[]
  /** The text with credentials in it covered. */
  readonly text: string
  readonly understood: boolean
  readonly refusal?: string
  /** What goes to the server (a byte string), where it is not the text as it came: comments are left out. */
  readonly canonical?: string
  readonly use?: string
  readonly prepares: readonly {
    readonly name: string
    readonly effects: readonly Effect[]
    readonly text: string
    readonly diagnostics: boolean
  }[]
  readonly executes: readonly string[]
  readonly deallocates: readonly string[]
  readonly kills?: { readonly id: number; readonly what: 'query' | 'connection' }
  /** It repeats the texts of errors of statements before it. */
  readonly diagnostics: boolean
  readonly changesCatalog: boolean
  /** `database.table`, in lower case. */
  readonly makesTemporary: readonly string[]
  /** It may run what could not be read, so the session's settings must be said again after it. */
  readonly unsettles: boolean
}

/** Longer texts are not read: they count as not understood. As long as the wire holds; values that clients write into texts make them long. */
const maxTextBytes = 64 * 1024 * 1024
/** A text that was not read is searched for words about passwords up to here; no statement that sets one is this long. */
const maxSecretBytes = 1024 * 1024
const openInformation =
  /^(applicable_roles|character_sets|check_constraints|collations|collation_character_set_applicability|columns|enabled_roles|engines|events|files|key_column_usage|keywords|parameters|partitions|plugins|referential_constraints|routines|schemata|sequences|statistics|system_variables|tables|tablespaces|table_constraints|triggers|views|st_geometry_columns)$/

/** What every account may read of the server's description of itself; its columns hold nobody's data. */
export function isOpenInformation(database: string, name: string): boolean {
  return database.toLowerCase() === 'information_schema' && openInformation.test(name.toLowerCase())
}

export function understandMysql(bytes: string, context: MysqlContext): MysqlUnderstanding {
  try {
    const { lexed, statements } = parseText(bytes)
    return new Meaning(bytes, lexed, context).of(statements)
  } catch (error) {
    if (error instanceof LexFault) return { ...notUnderstood(bytes), refusal: `the text cannot be read safely: ${error.message}` }
    if (error instanceof NotUnderstood) return notUnderstood(bytes)
    throw error
  }
}

export function parseText(bytes: string): { readonly lexed: Lexed; readonly statements: Statement[] } {
  if (bytes.length > maxTextBytes) throw new NotUnderstood('too long')
  const lexed = lex(bytes)
  return { lexed, statements: parse(lexed.tokens) }
}

export function notUnderstood(bytes: string): MysqlUnderstanding {
  return {
    effects: [{ access: 'unknown', verb: 'query', object: '' }],
    text: shownUnread(bytes),
    understood: false,
    prepares: [],
    executes: [],
    deallocates: [],
    diagnostics: false,
    changesCatalog: true,
    makesTemporary: [],
    unsettles: true,
  }
}

/** A text that was not read may hold a password; no statement that sets one is long. */
function shownUnread(bytes: string): string {
  if (bytes.length > maxSecretBytes || !holdsSecretWords(bytes)) return decode(bytes)
  return '[covered: a text about passwords that could not be read]'
}

/** Near these a string may be a password. */
export const holdsSecretWords = (bytes: string): boolean =>
  /\b(?:identified|password|master_password|source_password)\b/i.test(bytes)

class Meaning {
  readonly #bytes: string
  readonly #lexed: Lexed
  readonly #context: MysqlContext
  readonly #drafts = new Map<
    string,
    { access: Effect['access']; verb: string; object: string; columns: Set<string> | undefined; bounded: boolean | undefined }
  >()

  constructor(bytes: string, lexed: Lexed, context: MysqlContext) {
    this.#bytes = bytes
    this.#lexed = lexed
    this.#context = context
  }

  of(statements: readonly Statement[]): MysqlUnderstanding {
    for (const statement of statements) this.#statement(statement)
    const prepares = statements.flatMap((statement) => this.#prepares(statement))
    const immediate = statements.flatMap(({ executesText }) => (executesText === undefined ? [] : [this.#inner(executesText.text)]))
    const refusal = this.#refusal(statements, immediate)
    const effects = [...this.#drafts.values()].map(({ columns, bounded, ...effect }): Effect => ({
      ...effect,
      ...(columns === undefined ? {} : { columns: [...columns] }),
      ...(bounded === undefined ? {} : { bounded }),
    }))
    const use = statements.length === 1 ? statements[0]?.use : undefined
    const kills = statements.length === 1 ? statements[0]?.kills : undefined
    const { canonical } = this.#lexed
    return {
      effects,
      text: this.#shownText(statements),
      understood: true,
      ...(refusal === undefined ? {} : { refusal }),
      ...(canonical === this.#bytes ? {} : { canonical }),
      ...(use === undefined ? {} : { use }),
      prepares,
      executes: statements.flatMap(({ executes }) => (executes === undefined ? [] : [executes])),
      deallocates: statements.flatMap(({ deallocates }) => (deallocates === undefined ? [] : [deallocates])),
      ...(kills === undefined ? {} : { kills }),
      diagnostics: statements.some(({ diagnostics }) => diagnostics === true) || immediate.some(({ diagnostics }) => diagnostics),
      changesCatalog:
        statements.some(({ changesCatalog }) => changesCatalog === true) || immediate.some((each) => each.changesCatalog),
      makesTemporary: statements.flatMap(({ makesTemporary }) =>
        makesTemporary === undefined ? [] : [this.#nameOf(makesTemporary).toLowerCase()],
      ),
      unsettles: effects.some(({ access }) => access === 'unknown') || statements.some(({ executes }) => executes !== undefined),
    }
  }

  #refusal(statements: readonly Statement[], immediate: readonly MysqlUnderstanding[]): string | undefined {
    if (statements.length > 1) {
      if (statements.some(({ use }) => use !== undefined)) return 'USE must be sent alone'
      if (statements.some(({ kills }) => kills !== undefined)) return 'KILL must be sent alone'
      if (statements.some(({ makesTemporary }) => makesTemporary !== undefined)) return 'CREATE TEMPORARY TABLE must be sent alone'
    }
    const inner = [
      ...immediate,
      ...statements.flatMap(({ prepares }) => (prepares === undefined ? [] : [this.#inner(prepares.text)])),
    ]
    if (inner.some(({ use }) => use !== undefined)) return 'USE must be sent by itself'
    return (
      statements.find((statement) => statement.refusal !== undefined)?.refusal ??
      inner.find((each) => each.refusal !== undefined)?.refusal
    )
  }

  /** A statement inside a string is read as the statement it is; in a variable it is unknown. */
  #inner(text: string | undefined): MysqlUnderstanding {
    if (text === undefined) return notUnderstood('')
    return understandMysql(Buffer.from(text, 'utf8').toString('latin1'), this.#context)
  }

  /** To prepare is judged as to run: EXECUTE needs then only to be known. */
  #prepares({ prepares }: Statement): MysqlUnderstanding['prepares'] {
    if (prepares === undefined) return []
    const inner = this.#inner(prepares.text)
    for (const effect of inner.effects) this.#add(effect)
    return [{ name: prepares.name.toLowerCase(), effects: inner.effects, text: inner.text, diagnostics: inner.diagnostics }]
  }

  #statement(statement: Statement): void {
    this.#reads(statement)
    for (const written of statement.written) for (const change of this.#changes(written)) this.#writes(written, change)
    for (const { access, verb, object } of statement.done) {
      const name = object === undefined ? '' : typeof object === 'string' ? object : this.#nameOf(object)
      const trusted = verb === 'call' && matchesAnyName(this.#context.trustedFunctions, name)
      this.#add({ access: trusted ? 'write' : access, verb, object: name })
    }
    for (const table of statement.whole) this.#readsWhole(table)
    if (statement.reading.marks.has('outfile')) this.#add({ access: 'admin', verb: 'copy', object: '' })
    if (statement.executesText !== undefined)
      for (const effect of this.#inner(statement.executesText.text).effects) this.#add(effect)
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
    this.#add({ access: 'write', verb, object: known.object, ...touched, ...narrowed })
    if (known.table?.isView === true) this.#writesThrough(known.table, verb, columns, narrowed)
  }

  /** A view passes writes on to what it is made of; where that cannot be told it is unknown. */
  #writesThrough(view: MysqlTable, verb: string, columns: readonly string[], narrowed: Pick<Effect, 'bounded'>): void {
    const wanted = verb === 'delete' ? view.columns.map(({ name }) => name) : columns.map((each) => spelling(view, each))
    const origins = new Set(wanted.flatMap((each) => [...(view.lineage?.get(each) ?? [])]))
    if (origins.size === 0) this.#add({ access: 'unknown', verb, object: `${view.database}.${view.name}` })
    for (const origin of origins) {
      const touched = verb === 'delete' ? {} : { columns: [origin] }
      this.#add({ access: 'write', verb, object: origin.slice(0, origin.lastIndexOf('.')), ...touched, ...narrowed })
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
      this.#add({ access: 'read', verb: 'select', object, columns: [...columns].map((column) => `${object}.${column}`) })
      if (table.isView) this.#readsThrough(table, columns)
      return
    }
    const [database, name] = splitName(object)
    if (known.temporary || isOpenInformation(database, name)) {
      return this.#add({ access: 'read', verb: 'select', object })
    }
    // Not in the catalogue: what columns it has cannot be told.
    this.#add({ access: 'unknown', verb: 'select', object })
  }

  /** A view shows what it is made of; where that cannot be told it is unknown. */
  #readsThrough(view: MysqlTable, columns: ReadonlySet<string>): void {
    if (view.lineage === undefined) return this.#add({ access: 'unknown', verb: 'select', object: `${view.database}.${view.name}` })
    for (const column of columns) {
      for (const origin of view.lineage.get(column) ?? []) {
        this.#add({ access: 'read', verb: 'select', object: origin.slice(0, origin.lastIndexOf('.')), columns: [origin] })
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
      this.#add({ access: 'unknown', verb: 'call', object })
    }
  }

  #nameOf({ database, name }: TableName): string {
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

  #add({ access, verb, object, columns, bounded }: Effect): void {
    const id = `${access} ${verb} ${object}`
    const draft = this.#drafts.get(id) ?? { access, verb, object, columns: undefined, bounded: undefined }
    this.#drafts.set(id, draft)
    if (columns !== undefined) {
      draft.columns ??= new Set()
      for (const column of columns) draft.columns.add(column)
    }
    if (bounded !== undefined) draft.bounded = (draft.bounded ?? true) && bounded
  }

  #shownText(statements: readonly Statement[]): string {
    if (!statements.some(({ holdsSecret }) => holdsSecret === true) && !holdsSecretWords(this.#bytes)) return decode(this.#bytes)
    const parts: string[] = []
    let before = 0
    for (const token of this.#lexed.tokens) {
      if (token.kind !== 'string') continue
      parts.push(this.#bytes.slice(before, token.start), `'[covered]'`)
      before = token.end
    }
    return decode([...parts, this.#bytes.slice(before)].join(''))
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
