// What runs something by its name: PREPARE and EXECUTE, CALL, HANDLER.

import { tableName } from './definitions.js'
import type { Grammar } from './grammar.js'
import { readLimit } from './queries.js'
import type { Statement } from './statement.js'

export function readPrepared(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  const text = (): string | undefined => {
    const parts: string[] = []
    while (cursor.token?.kind === 'string') parts.push(cursor.take().value)
    if (parts.length > 0 && (cursor.atEnd || cursor.isWord('USING'))) return parts.join('')
    grammar.expression(statement.root)
    return undefined
  }
  if (cursor.word('PREPARE')) {
    const name = cursor.name().toLowerCase()
    cursor.needWord('FROM')
    statement.prepares = { name, text: text() }
    return
  }
  if (cursor.word('DEALLOCATE', 'DROP')) {
    cursor.needWord('PREPARE')
    statement.deallocates = cursor.name().toLowerCase()
    return
  }
  cursor.needWord('EXECUTE')
  if (cursor.word('IMMEDIATE')) statement.executesText = { text: text() }
  else statement.executes = cursor.name().toLowerCase()
  if (cursor.word('USING')) {
    do grammar.expression(statement.root)
    while (cursor.sign(','))
  }
}

export function readCall(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  statement.done.push({ access: 'unknown', verb: 'call', object: tableName(cursor) })
  if (!cursor.sign('(')) return
  while (!cursor.isSign(')')) {
    grammar.expression(statement.root)
    if (!cursor.sign(',') && !cursor.isSign(')')) cursor.fail()
  }
  cursor.needSign(')')
}

/** Of names: those of PREPARE are in lower case, so that no name is both. */
const handlerName = (name: string): string => `HANDLER ${name}`

/** To open is judged as to read all of the table; what reads on only names what was opened. */
export function readHandler(grammar: Grammar, statement: Statement): void {
  const { cursor, reading } = grammar
  const start = cursor.at
  const table = tableName(cursor)
  const nameEnd = cursor.at
  if (cursor.word('OPEN')) {
    const name = handlerName(cursor.alias(false) ?? table.name)
    reading.addTable({ ...table, alias: undefined, block: statement.root, start, nameEnd, aliasEnd: nameEnd, hintsEnd: nameEnd })
    reading.columns.push({ parts: ['*'], block: statement.root, start })
    statement.whole.push(table)
    statement.opens = name
    return
  }
  if (table.database !== undefined) cursor.fail()
  if (cursor.word('CLOSE')) {
    statement.deallocates = handlerName(table.name)
    return
  }
  cursor.needWord('READ')
  statement.executes = handlerName(table.name)
  if (!cursor.word('FIRST', 'NEXT')) readKey(grammar, statement)
  if (cursor.word('WHERE')) grammar.expression(statement.root)
  if (cursor.word('LIMIT')) readLimit(grammar, statement.root)
}

/** `index = (1, 2)`, `index NEXT`. */
function readKey(grammar: Grammar, { root }: Statement): void {
  const { cursor } = grammar
  cursor.name()
  if (cursor.word('FIRST', 'NEXT', 'PREV', 'LAST')) return
  if (!cursor.sign('=', '<', '>', '<=', '>=')) cursor.fail()
  cursor.needSign('(')
  do grammar.expression(root)
  while (cursor.sign(','))
  cursor.needSign(')')
}
