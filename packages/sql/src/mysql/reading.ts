// What a statement names, as the grammar finds it: tables, columns, functions, each with its place. No tree: names and places are all that
// understanding and masking need, and what has no tree cannot be printed wrongly.

import { NotUnderstood } from './cursor.js'

/** Both servers join at most 61 tables (sql/sql_const.h, MAX_TABLES). */
const maxJoined = 61

/** A part of a statement with a FROM of its own; 0 is the statement itself. */
export interface Block {
  readonly id: number
  readonly parent: Block | undefined
  /** First token. */
  readonly start: number
  /** What hangs on a set operation: its names may mean something of any of the operands. */
  readonly wide: boolean
}

export interface TableName {
  readonly database: string | undefined
  readonly name: string
}

export interface TableReference extends TableName {
  readonly alias: string | undefined
  readonly block: Block
  /** Tokens of the name with its PARTITION clause, then up to the end of the alias, then of the index hints. */
  readonly start: number
  readonly nameEnd: number
  readonly aliasEnd: number
  readonly hintsEnd: number
}

export interface ColumnReference {
  /** `column`, `table.column` or `database.table.column`; a `*` at the end stands for all. */
  readonly parts: readonly string[]
  readonly block: Block
  readonly start: number
}

export interface FunctionCall {
  /** As written, `database.function` or `FUNCTION`. */
  readonly database: string | undefined
  readonly name: string
}

export class Reading {
  readonly tables: TableReference[] = []
  readonly columns: ColumnReference[] = []
  readonly functions: FunctionCall[] = []
  /** Select items, by the tokens of their expressions; `named`: an alias follows, or it is a `*`. */
  readonly items: { readonly block: Block; readonly start: number; readonly end: number; readonly named: boolean }[] = []
  /** Things seen that are judged by name: outfile, variable. */
  readonly marks = new Set<'outfile' | 'returning' | 'sleeps'>()
  #blocks = 0
  readonly #inBlock = new Map<Block, number>()

  /** Names that a common table expression stands for, where a table could be meant as well. */
  readonly shadowed: { readonly name: string; readonly block: Block }[] = []

  /** Throws where a FROM names more tables than any server joins: what a text costs to understand grows with both tables and columns. */
  addTable(table: TableReference): void {
    const inBlock = (this.#inBlock.get(table.block) ?? 0) + 1
    if (inBlock > maxJoined) throw new NotUnderstood('too many tables in one FROM')
    this.#inBlock.set(table.block, inBlock)
    this.tables.push(table)
  }

  block(parent: Block | undefined, start: number, wide = false): Block {
    return { id: this.#blocks++, parent, start, wide }
  }
}

/** Whether a name used in `inner` can mean something of `outer`. */
export function sees(inner: Block, outer: Block): boolean {
  for (let block: Block | undefined = inner; block !== undefined; block = block.parent)
    if (block === outer || block.wide) return true
  return false
}
