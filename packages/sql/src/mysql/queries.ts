// Queries: SELECT with everything that hangs on it, common table expressions, set operations.

import { NotUnderstood } from './cursor.js'
import type { Cursor } from './cursor.js'
import { readWindow } from './calls.js'
import { readFrom, readTable } from './from.js'
import type { Grammar } from './grammar.js'
import type { Block } from './reading.js'

export function readQuery(grammar: Grammar, parent: Block | undefined): void {
  new Query(grammar, parent).read()
}

class Query {
  readonly #grammar: Grammar
  readonly #cursor: Cursor
  readonly #parent: Block | undefined

  constructor(grammar: Grammar, parent: Block | undefined) {
    this.#grammar = grammar
    this.#cursor = grammar.cursor
    this.#parent = parent
  }

  read(): void {
    const { common } = this.#grammar
    const before = common.length
    this.#cursor.nested(() => {
      if (this.#cursor.isWord('WITH')) readCommon(this.#grammar, this.#parent)
      this.#operand()
      while (this.#cursor.word('UNION', 'EXCEPT', 'INTERSECT', 'MINUS')) {
        this.#cursor.word('ALL', 'DISTINCT')
        this.#operand()
      }
      this.#tail(this.#grammar.reading.block(this.#parent, this.#cursor.at, true))
    })
    common.length = before
  }

  #operand(): void {
    const cursor = this.#cursor
    if (cursor.sign('(')) {
      new Query(this.#grammar, this.#parent).read()
      cursor.needSign(')')
    } else if (cursor.isWord('TABLE')) this.#table()
    else if (cursor.isWord('VALUES')) this.#values()
    else this.#select()
  }

  /** TABLE t is SELECT * FROM t; it is read, but cannot be masked in place (there is no FROM to hold a sub-select). */
  #table(): void {
    const cursor = this.#cursor
    const block = this.#grammar.reading.block(this.#parent, cursor.at)
    cursor.needWord('TABLE')
    readTable(this.#grammar, block)
    this.#grammar.reading.columns.push({ parts: ['*'], block, start: cursor.at })
  }

  #values(): void {
    const cursor = this.#cursor
    const block = this.#grammar.reading.block(this.#parent, cursor.at)
    cursor.needWord('VALUES')
    do {
      cursor.word('ROW')
      cursor.needSign('(')
      do this.#grammar.expression(block)
      while (cursor.sign(','))
      cursor.needSign(')')
    } while (cursor.sign(','))
  }

  #select(): void {
    const cursor = this.#cursor
    const block = this.#grammar.reading.block(this.#parent, cursor.at)
    cursor.needWord('SELECT')
    while (cursor.word(...selectOptions));
    readItems(this.#grammar, block)
    this.#into()
    if (cursor.word('FROM') && !cursor.word('DUAL')) readFrom(this.#grammar, block)
    if (cursor.word('WHERE')) this.#grammar.expression(block)
    if (cursor.words('GROUP', 'BY')) {
      this.#ordering(block)
      if (cursor.word('WITH')) cursor.needWord('ROLLUP')
    }
    if (cursor.word('HAVING')) this.#grammar.expression(block)
    if (cursor.word('WINDOW')) this.#windows(block)
    if (cursor.word('QUALIFY')) this.#grammar.expression(block)
    this.#tail(block)
  }

  #windows(block: Block): void {
    do {
      this.#cursor.name()
      this.#cursor.needWord('AS')
      readWindow(this.#grammar, block)
    } while (this.#cursor.sign(','))
  }

  #ordering(block: Block): void {
    do {
      this.#grammar.expression(block)
      this.#cursor.word('ASC', 'DESC')
    } while (this.#cursor.sign(','))
  }

  /** ORDER BY, LIMIT, INTO and locking, in any order: the server's own rules on order do not change what is read. */
  #tail(block: Block): void {
    const cursor = this.#cursor
    for (;;) {
      if (cursor.words('ORDER', 'BY')) this.#ordering(block)
      else if (cursor.word('LIMIT')) readLimit(this.#grammar, block)
      else if (cursor.isWord('INTO')) this.#into()
      else if (cursor.word('FOR')) {
        cursor.needWord('UPDATE', 'SHARE')
        this.#locking()
      } else if (cursor.words('LOCK', 'IN', 'SHARE', 'MODE')) this.#locking()
      else if (cursor.word('OFFSET')) {
        this.#grammar.expression(block)
        cursor.needWord('ROW', 'ROWS')
      } else if (cursor.word('FETCH')) {
        cursor.needWord('FIRST', 'NEXT')
        if (!cursor.isWord('ROW', 'ROWS')) this.#grammar.expression(block)
        cursor.needWord('ROW', 'ROWS')
        if (!cursor.words('WITH', 'TIES')) cursor.needWord('ONLY')
      } else return
    }
  }

  #locking(): void {
    const cursor = this.#cursor
    if (cursor.word('OF')) cursor.nameList()
    if (cursor.word('WAIT')) cursor.take()
    else if (!cursor.word('NOWAIT') && cursor.word('SKIP')) cursor.needWord('LOCKED')
  }

  #into(): void {
    const cursor = this.#cursor
    if (!cursor.word('INTO')) return
    if (cursor.word('OUTFILE', 'DUMPFILE')) {
      this.#grammar.reading.marks.add('outfile')
      if (cursor.take().kind !== 'string') cursor.fail()
      while (cursor.word(...outfileWords) || cursor.token?.kind === 'string') if (cursor.token?.kind === 'string') cursor.at += 1
      return
    }
    do {
      const target = cursor.take()
      if (target.kind !== 'variable' || target.value.startsWith('@@')) cursor.fail()
    } while (cursor.sign(','))
  }
}

const selectOptions = [
  'ALL',
  'DISTINCT',
  'DISTINCTROW',
  'HIGH_PRIORITY',
  'STRAIGHT_JOIN',
  'SQL_SMALL_RESULT',
  'SQL_BIG_RESULT',
  'SQL_BUFFER_RESULT',
  'SQL_CACHE',
  'SQL_NO_CACHE',
  'SQL_CALC_FOUND_ROWS',
]
const outfileWords = [
  'CHARACTER',
  'SET',
  'UTF8',
  'UTF8MB4',
  'BINARY',
  'FIELDS',
  'COLUMNS',
  'LINES',
  'TERMINATED',
  'OPTIONALLY',
  'ENCLOSED',
  'ESCAPED',
  'STARTING',
  'BY',
]

/** The list between SELECT (or RETURNING) and FROM. */
export function readItems(grammar: Grammar, block: Block): void {
  const { cursor, reading } = grammar
  do {
    const start = cursor.at
    const qualifier: string[] = []
    while (qualifier.length < 2 && starAhead(cursor, qualifier.length)) {
      qualifier.push(cursor.nameAfterDot())
      cursor.needSign('.')
    }
    if (cursor.isSign('*')) {
      cursor.at += 1
      reading.columns.push({ parts: [...qualifier, '*'], block, start })
      reading.items.push({ block, start, end: cursor.at, named: true })
    } else {
      cursor.at = start
      grammar.expression(block)
      const expressionEnd = cursor.at
      const named = cursor.alias(true) !== undefined
      reading.items.push({ block, start, end: expressionEnd, named })
    }
  } while (cursor.sign(','))
}

/** `name . *` or `name . name . *`. */
function starAhead(cursor: Cursor, taken: number): boolean {
  const isName = (by: number): boolean => ['word', 'quoted'].includes(cursor.ahead(by)?.kind ?? '')
  if (!isName(0) || !cursor.isSignAhead(1, '.')) return false
  return cursor.isSignAhead(2, '*') || (taken === 0 && isName(2) && cursor.isSignAhead(3, '.') && cursor.isSignAhead(4, '*'))
}

export function readLimit(grammar: Grammar, block: Block): void {
  const { cursor } = grammar
  if (cursor.words('ROWS', 'EXAMINED')) {
    grammar.expression(block)
    return
  }
  grammar.expression(block)
  if (cursor.sign(',') || cursor.word('OFFSET')) grammar.expression(block)
}

export function readCommon(grammar: Grammar, parent: Block | undefined): void {
  const { cursor, common } = grammar
  cursor.needWord('WITH')
  const recursive = cursor.word('RECURSIVE')
  const names: string[] = []
  do {
    const name = cursor.name()
    names.push(name)
    // Only WITH RECURSIVE lets an expression see itself; without it the same name inside is the table.
    if (recursive) common.push(name)
    if (cursor.isSign('(')) cursor.skipParentheses()
    cursor.needWord('AS')
    cursor.needSign('(')
    readQuery(grammar, parent)
    cursor.needSign(')')
    if (!recursive) common.push(name)
    if (cursor.isWord('CYCLE')) throw new NotUnderstood('CYCLE')
  } while (cursor.sign(','))
}
