// What a FROM may hold: tables, joins, sub-selects, tables made of JSON.

import type { Cursor } from './cursor.js'
import type { Grammar } from './grammar.js'
import type { Block } from './reading.js'

export function readFrom(grammar: Grammar, block: Block): void {
  do readJoined(grammar, block)
  while (grammar.cursor.sign(','))
}

function readJoined(grammar: Grammar, block: Block): void {
  const { cursor, reading } = grammar
  readFactor(grammar, block)
  for (;;) {
    const natural = cursor.word('NATURAL')
    // A natural join reads every column that both sides have.
    if (natural) reading.columns.push({ parts: ['*'], block, start: cursor.at })
    const kind = cursor.word('LEFT', 'RIGHT')
    if (kind) cursor.word('OUTER')
    else cursor.word('INNER', 'CROSS')
    if (!cursor.word('JOIN') && !cursor.word('STRAIGHT_JOIN')) {
      if (natural || kind) cursor.fail()
      return
    }
    readFactor(grammar, block)
    if (cursor.word('ON')) grammar.expression(block)
    else if (cursor.word('USING')) {
      const start = cursor.at
      cursor.needSign('(')
      for (const name of cursor.nameList()) reading.columns.push({ parts: [name], block, start })
      cursor.needSign(')')
    }
  }
}

function readFactor(grammar: Grammar, block: Block): void {
  const { cursor } = grammar
  const lateral = cursor.word('LATERAL')
  if (cursor.isWord('JSON_TABLE') && cursor.isSignAhead(1, '(')) return readJsonTable(grammar, block)
  if (!cursor.isSign('(')) {
    if (lateral) cursor.fail()
    return readTable(grammar, block)
  }
  let depth = 1
  while (cursor.isSignAhead(depth, '(')) depth += 1
  const inner = cursor.ahead(depth)
  const isQuery = inner?.kind === 'word' && ['SELECT', 'WITH', 'VALUES', 'TABLE'].includes(inner.value)
  cursor.needSign('(')
  cursor.nested(() => {
    if (isQuery && (depth === 1 || isDerived(cursor, depth))) {
      grammar.query(block)
      cursor.needSign(')')
      if (cursor.alias(false) !== undefined && cursor.isSign('(')) cursor.skipParentheses()
    } else {
      readFrom(grammar, block)
      cursor.needSign(')')
    }
  })
}

/** `JSON_TABLE(expression, path COLUMNS (...)) alias`: rows made of a value; its columns hold paths, types and literals. */
function readJsonTable(grammar: Grammar, block: Block): void {
  const { cursor } = grammar
  cursor.at += 2
  grammar.expression(block)
  cursor.needSign(',')
  if (cursor.take().kind !== 'string') cursor.fail()
  cursor.needWord('COLUMNS')
  cursor.skipParentheses()
  cursor.needSign(')')
  if (cursor.alias(false) === undefined) cursor.fail()
}

/** `((select ...) union ...)` is a query; `((select ...) alias join ...)` is a join. What follows the inner parenthesis tells. */
function isDerived(cursor: Cursor, depth: number): boolean {
  let open = 0
  for (let by = 0; ; by += 1) {
    const token = cursor.ahead(by)
    if (token === undefined) return false
    if (token.kind !== 'operator') continue
    if (token.value === '(') open += 1
    if (token.value !== ')') continue
    open -= 1
    if (open > 0) continue
    const next = cursor.ahead(by + 1)
    return (
      depth > 1 &&
      ((next?.kind === 'word' && ['UNION', 'EXCEPT', 'INTERSECT', 'ORDER', 'LIMIT'].includes(next.value)) ||
        (next?.kind === 'operator' && next.value === ')'))
    )
  }
}

function isCommon({ common }: Grammar, name: string): boolean {
  return common.some((each) => each.toLowerCase() === name.toLowerCase())
}

export function readTable(grammar: Grammar, block: Block): void {
  const { cursor, reading } = grammar
  const start = cursor.at
  const first = cursor.isSignAhead(1, '.') ? cursor.nameAfterDot() : cursor.name()
  const second = cursor.sign('.') ? cursor.nameAfterDot() : undefined
  if (cursor.isSign('.')) cursor.fail()
  const partition = cursor.isWord('PARTITION') && cursor.isSignAhead(1, '(')
  if (partition) {
    cursor.at += 1
    cursor.skipParentheses()
  }
  const nameEnd = cursor.at
  if (cursor.isWord('FOR') && cursor.isWordAhead(1, 'SYSTEM_TIME', 'PORTION')) cursor.fail()
  const alias = cursor.alias(false)
  const aliasEnd = cursor.at
  while (cursor.isWord('USE', 'IGNORE', 'FORCE') && cursor.isWordAhead(1, 'INDEX', 'KEY')) {
    cursor.at += 2
    if (cursor.word('FOR') && !cursor.word('JOIN')) cursor.needWord('ORDER', 'GROUP')
    cursor.word('BY')
    cursor.skipParentheses()
    cursor.sign(',')
  }
  if (second === undefined && isCommon(grammar, first)) {
    if (partition) cursor.fail()
    reading.shadowed.push({ name: first, block })
    return
  }
  const named = second === undefined ? { database: undefined, name: first } : { database: first, name: second }
  reading.addTable({ ...named, alias, block, start, nameEnd, aliasEnd, hintsEnd: cursor.at })
}
