// INSERT, REPLACE, UPDATE and DELETE.

import type { Cursor } from './cursor.js'
import { isQueryAhead } from './grammar.js'
import type { Grammar } from './grammar.js'
import { readFrom, readTable } from './from.js'
import { readItems, readLimit, readQuery } from './queries.js'
import type { Block, TableReference } from './reading.js'
import type { Statement } from './statement.js'

export function readWrite(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  if (cursor.word('INSERT')) readInsert(grammar, statement, 'insert')
  else if (cursor.word('REPLACE')) readInsert(grammar, statement, 'replace')
  else if (cursor.word('UPDATE')) readUpdate(grammar, statement)
  else {
    cursor.needWord('DELETE')
    readDelete(grammar, statement)
  }
}

function readInsert(grammar: Grammar, statement: Statement, verb: 'insert' | 'replace'): void {
  const { cursor } = grammar
  const { root } = statement
  while (cursor.word('LOW_PRIORITY', 'DELAYED', 'HIGH_PRIORITY', 'IGNORE'));
  cursor.word('INTO')
  const table = target(grammar, root)
  const columns = cursor.isSign('(') && !queryInParentheses(cursor) ? columnList(cursor) : []
  let changing = root
  if (cursor.word('VALUES', 'VALUE')) readRows(grammar, root)
  else if (cursor.word('SET')) columns.push(...assignments(grammar, root))
  else if (isQueryAhead(cursor) || cursor.isSign('(')) {
    readQuery(grammar, undefined)
    // ON DUPLICATE KEY UPDATE sees what the query selects from.
    changing = grammar.reading.block(root, cursor.at, true)
  } else cursor.fail()
  if (cursor.word('AS')) {
    cursor.name()
    if (cursor.isSign('(')) cursor.skipParentheses()
  }
  const before = columns.length
  if (cursor.words('ON', 'DUPLICATE', 'KEY', 'UPDATE')) {
    const changed = assignments(grammar, changing)
    if (before > 0) columns.push(...changed)
    statement.written.push({ verb: 'update', table, columns: changed, bounded: true })
  }
  returning(grammar, root)
  statement.written.push({ verb, table, columns, bounded: undefined })
}

export function queryInParentheses(cursor: Cursor): boolean {
  let depth = 1
  while (cursor.isSignAhead(depth, '(')) depth += 1
  return cursor.isWordAhead(depth, 'SELECT', 'WITH', 'VALUES', 'TABLE')
}

function columnList(cursor: Cursor): string[] {
  const names: string[] = []
  cursor.needSign('(')
  while (!cursor.isSign(')')) {
    names.push(lastPart(cursor).column)
    if (!cursor.sign(',') && !cursor.isSign(')')) cursor.fail()
  }
  cursor.needSign(')')
  return names
}

function lastPart(cursor: Cursor): { readonly qualifier: string | undefined; readonly column: string } {
  const parts = [cursor.isSignAhead(1, '.') ? cursor.nameAfterDot() : cursor.name()]
  while (parts.length < 3 && cursor.sign('.')) parts.push(cursor.nameAfterDot())
  return { qualifier: parts.length > 1 ? parts[parts.length - 2] : undefined, column: parts[parts.length - 1] as string }
}

function readRows(grammar: Grammar, block: Block): void {
  const { cursor } = grammar
  do {
    cursor.word('ROW')
    cursor.needSign('(')
    while (!cursor.isSign(')')) {
      grammar.expression(block)
      if (!cursor.sign(',') && !cursor.isSign(')')) cursor.fail()
    }
    cursor.needSign(')')
  } while (cursor.sign(','))
}

export function assignments(grammar: Grammar, block: Block): string[] {
  return qualifiedAssignments(grammar, block).map(({ column }) => column)
}

function qualifiedAssignments(grammar: Grammar, block: Block): ReturnType<typeof lastPart>[] {
  const { cursor } = grammar
  const names: ReturnType<typeof lastPart>[] = []
  do {
    names.push(lastPart(cursor))
    if (!cursor.sign('=', ':=')) cursor.fail()
    grammar.expression(block)
  } while (cursor.sign(','))
  return names
}

function returning(grammar: Grammar, block: Block): void {
  if (!grammar.cursor.word('RETURNING')) return
  grammar.reading.marks.add('returning')
  readItems(grammar, block)
}

/** A table name that is no common table expression's. */
function target(grammar: Grammar, block: Block): TableReference {
  const before = grammar.reading.tables.length
  readTable(grammar, block)
  return grammar.reading.tables[before] ?? grammar.cursor.fail()
}

function readUpdate(grammar: Grammar, statement: Statement): void {
  const { cursor, reading } = grammar
  const { root } = statement
  while (cursor.word('LOW_PRIORITY', 'IGNORE'));
  readFrom(grammar, root)
  const tables = reading.tables.filter(({ block }) => block === root)
  cursor.needWord('SET')
  const set = qualifiedAssignments(grammar, root)
  const bounded = tail(grammar, root)
  for (const table of tables) {
    // A name without a table may be any table's; understanding drops those that do not have it.
    const columns = set.filter(({ qualifier }) => qualifier === undefined || isCalled(table, qualifier)).map(({ column }) => column)
    if (columns.length > 0) statement.written.push({ verb: 'update', table, columns, bounded })
  }
  if (statement.written.length === 0) cursor.fail()
}

function isCalled(table: TableReference, qualifier: string): boolean {
  return (table.alias ?? table.name).toLowerCase() === qualifier.toLowerCase()
}

/** WHERE, ORDER BY, LIMIT. */
function tail(grammar: Grammar, root: Block): boolean {
  const { cursor } = grammar
  const bounded = cursor.word('WHERE') ? grammar.expression(root).bounded : false
  if (cursor.words('ORDER', 'BY')) {
    do {
      grammar.expression(root)
      cursor.word('ASC', 'DESC')
    } while (cursor.sign(','))
  }
  if (cursor.word('LIMIT')) readLimit(grammar, root)
  return bounded
}

function readDelete(grammar: Grammar, statement: Statement): void {
  const { cursor, reading } = grammar
  const { root } = statement
  while (cursor.word('LOW_PRIORITY', 'QUICK', 'IGNORE'));
  const targets: string[] = []
  if (cursor.word('FROM')) {
    const at = cursor.at
    const list = targetList(cursor)
    if (cursor.word('USING')) {
      targets.push(...list)
      readFrom(grammar, root)
    } else {
      cursor.at = at
      readTable(grammar, root)
      if (!cursor.atEnd && !cursor.isWord('WHERE', 'ORDER', 'LIMIT', 'RETURNING')) cursor.fail()
    }
  } else {
    targets.push(...targetList(cursor))
    cursor.needWord('FROM')
    readFrom(grammar, root)
  }
  const tables = reading.tables.filter(({ block }) => block === root)
  const bounded = tail(grammar, root)
  returning(grammar, root)
  const deleted = targets.length === 0 ? tables : tables.filter((table) => targets.some((each) => isCalled(table, each)))
  if (deleted.length === 0) cursor.fail()
  for (const table of deleted) statement.written.push({ verb: 'delete', table, columns: [], bounded })
}

/** `t1, db.t2.*`: by their last names. */
function targetList(cursor: Cursor): string[] {
  const found: string[] = []
  do {
    let name = cursor.isSignAhead(1, '.') ? cursor.nameAfterDot() : cursor.name()
    while (cursor.sign('.')) {
      if (cursor.sign('*')) break
      name = cursor.nameAfterDot()
    }
    found.push(name)
  } while (cursor.sign(','))
  return found
}
