// PostgreSQL's own grammar (18, which reads what 13 to 17 say), and telling a text that is wrong from a parser that is hurt.

import { hasSqlDetails, loadModule, parseSync, SqlError } from 'libpg-query'
import type { Node, RawStmt } from 'libpg-query'

export { loadModule as loadParser }

/** The parser broke, not the text: its memory can no longer be relied on, and its worker must go. */
export class ParserHurt extends Error {}

export interface ParsedStatement {
  readonly node: Node
  /** The statement's bytes in the text, UTF-8. */
  readonly start: number
  readonly end: number
}

/** The statements of a text, or undefined where it does not parse. Throws ParserHurt. */
export function parseText(text: string): ParsedStatement[] | undefined {
  // The parser refuses a text that is empty, which means no statement.
  if (text === '') return []
  let stmts: readonly RawStmt[]
  try {
    stmts = parseSync(text).stmts ?? []
  } catch (error) {
    // "memory exhausted" is the parser's own limit on nesting and leaves it whole; all other failures are not of its making.
    if (error instanceof SqlError || hasSqlDetails(error)) return undefined
    throw new ParserHurt('the parser broke', { cause: error })
  }
  return stmts.flatMap(({ stmt, stmt_location: start = 0, stmt_len: length = 0 }) =>
    stmt === undefined ? [] : [{ node: stmt, start, end: length === 0 ? Infinity : start + length }],
  )
}

/** The statements of a text of ours or of the server's. */
export function parseNodes(text: string): readonly Node[] {
  return (parseText(text) ?? []).map((statement) => statement.node)
}
