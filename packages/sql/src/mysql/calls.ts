// Calls of functions: their arguments, with whatever words a function puts between them, and the window they look through.

import { isQueryAhead } from './grammar.js'
import type { Grammar } from './grammar.js'
import type { Block } from './reading.js'
import { argumentWords, reservedFunctions, reservedWords, typeWords, windowWords } from './words.js'

/** From the parenthesis that opens the arguments. */
export function readCall(grammar: Grammar, block: Block, database: string | undefined, name: string): void {
  const { cursor } = grammar
  if (database === undefined && reservedWords.has(name) && !reservedFunctions.has(name)) cursor.fail()
  grammar.reading.functions.push({ database, name })
  cursor.needSign('(')
  // VALUES(column) is what the INSERT brought, not what the table holds.
  if (database === undefined && name === 'VALUES') while (!cursor.isSign(')')) if (!cursor.sign('.')) cursor.name()
  cursor.nested(() => readArguments(grammar, block))
  cursor.needSign(')')
  readOver(grammar, block)
}

/** FROM, FOR, USING, SEPARATOR, ORDER BY, AS type. */
function readArguments(grammar: Grammar, block: Block): void {
  const { cursor } = grammar
  if (isQueryAhead(cursor)) return cursor.nested(() => grammar.query(block))
  while (!cursor.isSign(')')) {
    if (cursor.sign(',') || cursor.sign('*') || cursor.word(...argumentWords)) continue
    if (cursor.word('AS', 'RETURNING')) {
      readType(grammar)
    } else if (cursor.words('USING')) {
      if (!cursor.word('BINARY')) cursor.name()
    } else if (cursor.word('ORDER')) {
      cursor.needWord('BY')
    } else if (cursor.isWord('NULL', 'ERROR', 'DEFAULT') && cursor.isWordAhead(1, 'ON')) {
      cursor.at += 2
      cursor.needWord('EMPTY', 'ERROR')
    } else grammar.expression(block)
  }
}

/** A type in a CAST: words, sizes in parentheses, a character set. */
function readType({ cursor }: Grammar): void {
  let words = 0
  while (cursor.token?.kind === 'word' && !cursor.isWord('ON')) {
    if (!typeWords.has(cursor.take().value)) cursor.fail()
    words += 1
    if (cursor.isSign('(')) cursor.skipParentheses()
  }
  if (words === 0) cursor.fail()
}

function readOver(grammar: Grammar, block: Block): void {
  const { cursor } = grammar
  if (cursor.words('WITHIN', 'GROUP')) {
    cursor.needSign('(')
    cursor.needWord('ORDER')
    cursor.needWord('BY')
    readArguments(grammar, block)
    cursor.needSign(')')
  }
  if (cursor.word('RESPECT', 'IGNORE')) cursor.needWord('NULLS')
  if (!cursor.word('OVER')) return
  if (cursor.isSign('(')) readWindow(grammar, block)
  else cursor.name()
}

/** `(PARTITION BY ... ORDER BY ... ROWS BETWEEN ...)`. */
export function readWindow(grammar: Grammar, block: Block): void {
  const { cursor } = grammar
  cursor.needSign('(')
  while (!cursor.isSign(')')) {
    if (cursor.sign(',') || cursor.word(...windowWords)) continue
    grammar.expression(block)
  }
  cursor.needSign(')')
}
