// Masks at the source: every reference to a table with masked columns becomes a sub-select with the masks applied, in the text itself. The result is
// read again, and goes on only where no reference is left outside one of those sub-selects.

import { matchesName, strictest } from '@sallyport/core'
import type { Mask, Transform } from '@sallyport/core'
import type { Rewriting } from '../understanding.js'
import { columnsOf } from './catalog.js'
import type { MysqlTable } from './catalog.js'
import { NotUnderstood } from './cursor.js'
import { isOpenInformation } from './effects.js'
import { decode, LexFault } from './lexer.js'
import type { Token } from './lexer.js'
import type { TableName, TableReference } from './reading.js'
import type { Statement } from './statement.js'
import { maskedSql, quotedName } from './transforms.js'
import { parseText } from './understand.js'
import type { MysqlContext } from './understand.js'

/** An alias may have 256 characters. */
const maxNameCharacters = 200

class Untraceable extends Error {}

/** The text is a byte string, and so is the result. */
export function maskMysql(bytes: string, context: MysqlContext, masks: readonly Mask[], salt: string): Rewriting {
  try {
    return new Masking(context, masks, salt).rewrite(bytes)
  } catch (error) {
    if (error instanceof Untraceable) return { kind: 'untraceable', reason: error.message }
    if (error instanceof NotUnderstood || error instanceof LexFault)
      return { kind: 'untraceable', reason: 'the statement was not understood' }
    throw error
  }
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

class Masking {
  readonly #context: MysqlContext
  readonly #masks: readonly Mask[]
  readonly #salt: string
  readonly #known = new Map<MysqlTable, ReadonlyMap<string, Transform>>()
  readonly #origins = new Set<string>()
  readonly #made = new Set<string>()
  #explains = false

  constructor(context: MysqlContext, masks: readonly Mask[], salt: string) {
    this.#context = context
    this.#masks = masks
    this.#salt = salt
  }

  rewrite(bytes: string): Rewriting {
    const { lexed, statements } = parseText(bytes, this.#context.catalog.server)
    const edits = statements.flatMap((statement) => this.#edits(statement, lexed.tokens, bytes))
    const forbiddenOrigins = [...this.#origins]
    if (edits.length === 0) return { kind: 'unchanged', forbiddenOrigins }
    const text = applied(bytes, edits, lexed.tokens)
    this.#prove(text)
    return { kind: 'rewritten', text, forbiddenOrigins }
  }

  #edits(statement: Statement, tokens: readonly Token[], bytes: string): Edit[] {
    const { reading } = statement
    this.#explains = statement.explains === true
    for (const table of [...reading.tables, ...statement.whole]) this.#needTold(table)
    for (const { name } of reading.shadowed) {
      if (this.#context.catalog.find(this.#context.database, name).some((table) => this.#of(table).size > 0)) {
        throw new Untraceable(`${name} is the name of a masked table and of a common table expression`)
      }
    }
    if (statement.kind !== 'query') {
      this.#refuseMoves(statement)
      // SET, DO and the like hold sub-selects that are masked where they stand; all else must read nothing that is masked.
      const masksInPlace = statement.kind === 'other' && statement.done.length === 0 && statement.changesCatalog !== true
      if (!masksInPlace) {
        this.#refuseReads(statement)
        return []
      }
    }
    if (reading.marks.has('outfile')) throw new Untraceable('a file on the server would hold it')
    const edits = [
      ...reading.tables.flatMap((reference) => this.#replaced(reference, tokens, bytes)),
      ...this.#unqualified(statement, tokens),
    ]
    return [...edits, ...namesKept(statement, edits, tokens, bytes)]
  }

  /** A table nobody knows may hold anything: that no mask names its columns says nothing. */
  #needTold({ database, name }: TableName): void {
    const { catalog, database: current, temporaries } = this.#context
    const inside = database ?? current
    const isTold =
      catalog.find(inside, name).length > 0 ||
      temporaries.has(`${inside === '' ? '?' : inside}.${name}`.toLowerCase()) ||
      isOpenInformation(inside, name)
    if (!isTold) throw new Untraceable(`what ${name} holds is not known`)
  }

  /** Statements that write, define or run something cannot be masked: none of their masked columns may be read. */
  #refuseReads(statement: Statement): void {
    const { catalog, database } = this.#context
    for (const reference of statement.reading.columns) {
      const found = columnsOf(statement, reference, database, catalog).find(({ table, name }) => this.#of(table).has(name))
      if (found !== undefined) throw new Untraceable(`${found.name} is read by a statement that does more than read`)
    }
    for (const { table } of statement.written) this.#forbid(table)
  }

  #refuseMoves(statement: Statement): void {
    const { catalog, database } = this.#context
    if (statement.prepares !== undefined || statement.executesText !== undefined) {
      throw new Untraceable('a statement inside a string cannot be masked; send it as a statement')
    }
    const moved = statement.changesCatalog === true ? [...statement.whole, ...statement.reading.tables] : statement.whole
    for (const { database: inside, name } of moved) {
      const masked = catalog.find(inside ?? database, name).some((table) => this.#of(table).size > 0)
      if (masked) throw new Untraceable(`${name} has masked columns and would be copied, moved or renamed`)
    }
  }

  #forbid({ database, name }: TableReference): void {
    for (const table of this.#context.catalog.find(database ?? this.#context.database, name)) {
      for (const column of this.#of(table).keys()) this.#origins.add(`${table.database}.${table.name}.${column}`.toLowerCase())
    }
  }

  /** The masked columns of a table: those the masks name, and for a view those that are made of them. */
  #of(table: MysqlTable): ReadonlyMap<string, Transform> {
    const known = this.#known.get(table)
    if (known !== undefined) return known
    const masked = new Map<string, Transform>()
    for (const { name } of table.columns) {
      let transform = this.#matching(`${table.database}.${table.name}.${name}`)
      if (table.isView && table.lineage === undefined) throw new Untraceable(`what view ${table.name} shows cannot be told`)
      for (const origin of table.lineage?.get(name) ?? []) {
        const found = this.#matching(origin)
        // The end of a value that was computed from a column may be any part of the column's value.
        if (found !== undefined) transform = strictest(transform, found === 'partial' ? 'redact' : found)
      }
      if (transform !== undefined) masked.set(name, transform)
    }
    this.#known.set(table, masked)
    return masked
  }

  #matching(column: string): Transform | undefined {
    let transform: Transform | undefined
    for (const mask of this.#masks) if (matchesName(mask.column, column)) transform = strictest(transform, mask.with)
    return transform
  }

  #maskedTable({ database, name }: TableReference): MysqlTable | undefined {
    const all = this.#context.catalog.find(database ?? this.#context.database, name)
    const masked = all.filter((table) => this.#of(table).size > 0)
    if (masked.length > 0 && all.length > 1) throw new Untraceable(`more than one table is called ${name}`)
    return masked[0]
  }

  #replaced(reference: TableReference, tokens: readonly Token[], bytes: string): Edit[] {
    const table = this.#maskedTable(reference)
    if (table === undefined) return []
    if (tokens[reference.start - 1]?.value === 'TABLE') throw new Untraceable('TABLE cannot be masked; write SELECT')
    this.#forbid(reference)
    const part = (from: number, to: number): string =>
      from >= to ? '' : ` ${bytes.slice((tokens[from] as Token).start, (tokens[to - 1] as Token).end)}`
    const partition = tokens.findIndex(
      (token, index) =>
        index >= reference.start &&
        index < reference.nameEnd &&
        token.kind === 'word' &&
        token.value === 'PARTITION' &&
        tokens[index + 1]?.value === '(',
    )
    const suffix = partition < 0 ? '' : part(partition, reference.nameEnd)
    const select = `SELECT ${this.#list(table)} FROM ${quotedName(table.database)}.${quotedName(table.name)}${suffix}${part(reference.aliasEnd, reference.hintsEnd)}`
    this.#made.add(select)
    const alias = quotedName(reference.alias ?? reference.name)
    return [{ start: reference.start, end: reference.hintsEnd, text: `(${select}) AS ${alias}` }]
  }

  /** A plan prints what it read to be made: rows found by a key stand in it as values. So what is explained does not even look at the column. */
  #list(table: MysqlTable): string {
    const masked = this.#of(table)
    return table.columns
      .map((column) => {
        const transform = masked.get(column.name)
        if (transform === undefined) return quotedName(column.name)
        return `${maskedSql(column, this.#explains ? 'null' : transform, this.#salt)} AS ${quotedName(column.name)}`
      })
      .join(', ')
  }

  /** `database.table.column` of a table that is a sub-select now is only known as `table.column`. */
  #unqualified({ reading }: Statement, tokens: readonly Token[]): Edit[] {
    return reading.columns
      .filter(({ parts }) => parts.length === 3)
      .filter(({ parts, start }) => {
        const names = { database: parts[0], name: parts[1] as string }
        return (
          tokens[start + 1]?.value === '.' &&
          this.#context.catalog.find(names.database as string, names.name).some((table) => this.#of(table).size > 0)
        )
      })
      .map(({ start }) => ({ start, end: start + 2, text: '' }))
  }

  /** Read again: a masked table may be named only in the sub-selects that were made here. */
  #prove(text: string): void {
    const { lexed, statements } = parseText(text, this.#context.catalog.server)
    for (const statement of statements) {
      for (const reference of statement.reading.tables) {
        if (this.#maskedTable(reference) === undefined || statement.written.some(({ table }) => table === reference)) continue
        const from = (lexed.tokens[reference.block.start] as Token).start
        const to = (lexed.tokens[reference.hintsEnd - 1] as Token).end
        if (!this.#made.has(text.slice(from, to)) || lexed.tokens[reference.hintsEnd]?.value !== ')')
          throw new Untraceable('the masked statement could not be proved')
      }
    }
  }
}

/** A select item without a name is called by its own text: it keeps that of the caller, and never shows what was put into it. */
function namesKept({ reading }: Statement, edits: readonly Edit[], tokens: readonly Token[], bytes: string): Edit[] {
  return reading.items
    .filter(({ named, start, end }) => !named && edits.some((edit) => edit.start >= start && edit.end <= end && edit.text !== ''))
    .map(({ start, end }) => {
      const text = decode(bytes.slice((tokens[start] as Token).start, (tokens[end - 1] as Token).end))
      const name = Array.from(text.replaceAll(/\p{Cc}/gu, ' '))
        .slice(0, maxNameCharacters)
        .join('')
        .trim()
      return { start: end, end, text: ` AS ${quotedName(name)}` }
    })
}

function applied(bytes: string, edits: readonly Edit[], tokens: readonly Token[]): string {
  const parts: string[] = []
  let before = 0
  // What is put in after a token comes before what replaces the next one, and after what replaces the token itself.
  for (const { start, end, text } of [...edits].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const from = start === end ? (tokens[start - 1] as Token).end : (tokens[start] as Token).start
    if (from < before) throw new Untraceable('parts to be masked overlap')
    parts.push(bytes.slice(before, from), text)
    before = start === end ? from : (tokens[end - 1] as Token).end
  }
  return [...parts, bytes.slice(before)].join('')
}
