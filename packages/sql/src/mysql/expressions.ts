// Expressions, flat: operand, operator, operand. Ranks of operators do not change which columns, tables and functions are named.

import type { Cursor } from './cursor.js'
import type { Block, Narrowing, Reading } from './reading.js'
import { constantWords, infixSigns, infixWords, intervalUnits, reservedWords } from './words.js'

/** The two halves of the grammar call each other through this. */
export interface Grammar {
  readonly cursor: Cursor
  readonly reading: Reading
  /** A query in parentheses or at the beginning of a statement, up to what cannot belong to it. */
  query(parent: Block | undefined): void
  expression(block: Block): Narrowing
}

/** One run of operands between AND and OR. */
interface Term {
  columns: number
  selfCompared: boolean
}

export function readExpression(grammar: Grammar, block: Block): Narrowing {
  return grammar.cursor.nested(() => new Expression(grammar, block).read())
}

export function isQueryAhead(cursor: Cursor): boolean {
  return (
    cursor.isWord('SELECT', 'WITH') ||
    (cursor.isWord('VALUES') && !cursor.isSignAhead(1, '(')) ||
    (cursor.isWord('TABLE') && !cursor.isSignAhead(1, '('))
  )
}

class Expression {
  readonly #grammar: Grammar
  readonly #cursor: Cursor
  readonly #block: Block
  /** Alternatives, each a list of terms that must all hold. */
  readonly #alternatives: Term[][] = [[{ columns: 0, selfCompared: false }]]
  #between = 0

  constructor(grammar: Grammar, block: Block) {
    this.#grammar = grammar
    this.#cursor = grammar.cursor
    this.#block = block
  }

  read(): Narrowing {
    do this.#operand()
    while (this.#infix())
    const bounded = this.#alternatives.every((terms) => terms.some((term) => term.columns > 0 && !term.selfCompared))
    return { bounded }
  }

  get #term(): Term {
    const terms = this.#alternatives[this.#alternatives.length - 1] as Term[]
    return terms[terms.length - 1] as Term
  }

  #infix(): boolean {
    const cursor = this.#cursor
    const { token } = cursor
    if (token === undefined) return false
    if (token.kind === 'operator' && infixSigns.has(token.value)) {
      cursor.at += 1
      if (token.value === '||') this.#alternatives.push([{ columns: 0, selfCompared: false }])
      if (token.value === '&&') this.#alternatives[this.#alternatives.length - 1]?.push({ columns: 0, selfCompared: false })
      if (token.value === '=') this.#markSelfCompared()
      return true
    }
    if (token.kind !== 'word' || !infixWords.has(token.value)) return false
    cursor.at += 1
    return this.#infixWord(token.value)
  }

  /** `x = x` is true of every row that has an x. */
  #markSelfCompared(): void {
    const { tokens, at } = this.#cursor
    const left = tokens[at - 2]
    const right = tokens[at]
    if (left !== undefined && right !== undefined && left.kind === right.kind && left.value === right.value)
      this.#term.selfCompared = true
  }

  /** Whether an operand follows. */
  #infixWord(word: string): boolean {
    const cursor = this.#cursor
    switch (word) {
      case 'OR':
      case 'XOR':
        this.#alternatives.push([{ columns: 0, selfCompared: false }])
        return true
      case 'AND':
        if (this.#between > 0) this.#between -= 1
        else this.#alternatives[this.#alternatives.length - 1]?.push({ columns: 0, selfCompared: false })
        return true
      case 'BETWEEN':
        this.#between += 1
        return true
      case 'NOT':
        if (!cursor.isWord('LIKE', 'IN', 'BETWEEN', 'REGEXP', 'RLIKE')) cursor.fail()
        return this.#infix()
      case 'SOUNDS':
        cursor.needWord('LIKE')
        return true
      case 'MEMBER':
        cursor.needWord('OF')
        return true
      case 'COLLATE':
        if (!cursor.word('BINARY') && cursor.token?.kind !== 'string') cursor.name()
        else if (cursor.token?.kind === 'string') cursor.at += 1
        return this.#infix()
      case 'IS':
        return this.#is()
      default:
        return true
    }
  }

  #is(): boolean {
    const cursor = this.#cursor
    cursor.word('NOT')
    if (cursor.words('DISTINCT', 'FROM')) return true
    if (cursor.word('JSON')) cursor.word('VALUE', 'OBJECT', 'ARRAY', 'SCALAR')
    else cursor.needWord('NULL', 'TRUE', 'FALSE', 'UNKNOWN')
    return this.#infix()
  }

  #operand(): void {
    const cursor = this.#cursor
    while (cursor.sign('+', '-', '~', '!') || cursor.word('NOT', 'BINARY'));
    const { token } = cursor
    switch (token?.kind) {
      case 'number':
      case 'literal':
      case 'parameter':
      case 'variable':
        cursor.at += 1
        return
      case 'string':
        while (cursor.token?.kind === 'string') cursor.at += 1
        return
      case 'operator':
        return this.#parenthesised()
      case 'quoted':
        return this.#named()
      case 'word':
        return this.#word(token.value)
      case undefined:
        return cursor.fail()
    }
  }

  #parenthesised(): void {
    const cursor = this.#cursor
    cursor.needSign('(')
    this.#queryOrList()
    cursor.needSign(')')
  }

  #queryOrList(): void {
    const cursor = this.#cursor
    let depth = 0
    while (cursor.isSignAhead(depth, '(')) depth += 1
    const inner = cursor.ahead(depth)
    const isQuery = inner?.kind === 'word' && ['SELECT', 'WITH'].includes(inner.value)
    if ((isQuery && depth === 0) || isQueryAhead(cursor)) return this.#subquery()
    do this.#sub()
    while (cursor.sign(','))
  }

  /** What a sub-select looks at may narrow what is around it. */
  #subquery(): void {
    const before = this.#grammar.reading.columns.length
    this.#cursor.nested(() => this.#grammar.query(this.#block))
    this.#term.columns += this.#grammar.reading.columns.length - before
  }

  /** An expression inside this one: what it says of columns counts for the term around it. */
  #sub(): void {
    const before = this.#grammar.reading.columns.length
    this.#grammar.expression(this.#block)
    this.#term.columns += this.#grammar.reading.columns.length - before
  }

  #word(word: string): void {
    const cursor = this.#cursor
    if (cursor.isSignAhead(1, '.')) return this.#named()
    if (word === 'CASE') return this.#case()
    if (word === 'EXISTS' || ((word === 'ANY' || word === 'SOME' || word === 'ALL') && cursor.isSignAhead(1, '('))) {
      cursor.at += 1
      return this.#parenthesised()
    }
    if (word === 'MATCH') return this.#match()
    if (word === 'INTERVAL') return this.#interval()
    if (word === 'ROW' && cursor.isSignAhead(1, '(')) {
      cursor.at += 1
      return this.#parenthesised()
    }
    if (['DATE', 'TIME', 'TIMESTAMP'].includes(word) && cursor.ahead(1)?.kind === 'string') {
      cursor.at += 2
      return
    }
    const next = cursor.ahead(1)
    if (
      word.startsWith('_') &&
      (next?.kind === 'string' || next?.kind === 'literal' || (next?.kind === 'number' && next.value.startsWith('0')))
    ) {
      cursor.at += 2
      return
    }
    if (cursor.isSignAhead(1, '(')) {
      cursor.at += 1
      return this.#call(undefined, word)
    }
    if (constantWords.has(word)) {
      cursor.at += 1
      return
    }
    this.#named()
  }

  /** A column, or a function of a database. */
  #named(): void {
    const cursor = this.#cursor
    const start = cursor.at
    const parts = [cursor.isSignAhead(1, '.') ? cursor.nameAfterDot() : cursor.name()]
    if (cursor.isSign('(')) return this.#call(undefined, (parts[0] as string).toUpperCase())
    while (parts.length < 3 && cursor.sign('.')) parts.push(cursor.nameAfterDot())
    if (parts.length === 2 && cursor.isSign('(')) return this.#call(parts[0], parts[1] as string)
    this.#term.columns += 1
    this.#grammar.reading.columns.push({ parts, block: this.#block, start })
  }

  #case(): void {
    const cursor = this.#cursor
    cursor.needWord('CASE')
    if (!cursor.isWord('WHEN')) this.#sub()
    while (cursor.word('WHEN')) {
      this.#sub()
      cursor.needWord('THEN')
      this.#sub()
    }
    if (cursor.word('ELSE')) this.#sub()
    cursor.needWord('END')
  }

  #interval(): void {
    const cursor = this.#cursor
    cursor.needWord('INTERVAL')
    this.#sub()
    const { token } = cursor
    if (token?.kind === 'word' && intervalUnits.has(token.value)) cursor.at += 1
  }

  #match(): void {
    const cursor = this.#cursor
    cursor.needWord('MATCH')
    if (cursor.isSign('(')) this.#parenthesised()
    else {
      do this.#named()
      while (cursor.sign(','))
    }
    cursor.needWord('AGAINST')
    cursor.needSign('(')
    // IN and WITH begin a modifier here, so the operand stands alone.
    this.#operand()
    while (cursor.word('IN', 'BOOLEAN', 'NATURAL', 'LANGUAGE', 'MODE', 'WITH', 'QUERY', 'EXPANSION'));
    cursor.needSign(')')
  }

  #call(database: string | undefined, name: string): void {
    const cursor = this.#cursor
    if (database === undefined && reservedWords.has(name) && !reservedFunctions.has(name)) cursor.fail()
    this.#grammar.reading.functions.push({ database, name })
    cursor.needSign('(')
    // VALUES(column) is what the INSERT brought, not what the table holds.
    if (database === undefined && name === 'VALUES') while (!cursor.isSign(')')) if (!cursor.sign('.')) cursor.name()
    cursor.nested(() => this.#arguments())
    cursor.needSign(')')
    this.#window()
  }

  /** Arguments with whatever words a function puts between them: FROM, FOR, USING, SEPARATOR, ORDER BY, AS type. */
  #arguments(): void {
    const cursor = this.#cursor
    if (isQueryAhead(cursor)) return this.#subquery()
    while (!cursor.isSign(')')) {
      if (cursor.sign(',') || cursor.sign('*') || cursor.word(...argumentWords)) continue
      if (cursor.word('AS', 'RETURNING')) {
        this.#type()
      } else if (cursor.words('USING')) {
        if (!cursor.word('BINARY')) cursor.name()
      } else if (cursor.word('ORDER')) {
        cursor.needWord('BY')
      } else if (cursor.isWord('NULL', 'ERROR', 'DEFAULT') && cursor.isWordAhead(1, 'ON')) {
        cursor.at += 2
        cursor.needWord('EMPTY', 'ERROR')
      } else this.#sub()
    }
  }

  /** A type in a CAST: words, sizes in parentheses, a character set. */
  #type(): void {
    const cursor = this.#cursor
    let words = 0
    while (cursor.token?.kind === 'word' && !cursor.isWord('ON')) {
      if (!typeWords.has(cursor.take().value)) cursor.fail()
      words += 1
      if (cursor.isSign('(')) cursor.skipParentheses()
    }
    if (words === 0) cursor.fail()
  }

  #window(): void {
    const cursor = this.#cursor
    if (cursor.words('WITHIN', 'GROUP')) {
      cursor.needSign('(')
      cursor.needWord('ORDER')
      cursor.needWord('BY')
      this.#arguments()
      cursor.needSign(')')
    }
    if (cursor.word('RESPECT', 'IGNORE')) cursor.needWord('NULLS')
    if (!cursor.word('OVER')) return
    if (!cursor.isSign('(')) {
      cursor.name()
      return
    }
    readWindow(this.#grammar, this.#block)
  }
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

const windowWords = [
  'PARTITION',
  'ORDER',
  'BY',
  'ASC',
  'DESC',
  'ROWS',
  'RANGE',
  'BETWEEN',
  'AND',
  'UNBOUNDED',
  'PRECEDING',
  'FOLLOWING',
  'CURRENT',
  'ROW',
  'EXCLUDE',
]
const argumentWords = [
  'DISTINCT',
  'ALL',
  'FROM',
  'FOR',
  'BOTH',
  'LEADING',
  'TRAILING',
  'SEPARATOR',
  'ASC',
  'DESC',
  'LIMIT',
  'OFFSET',
]
/** Reserved words that are functions too. */
const reservedFunctions = new Set([
  'CONVERT',
  'CHAR',
  'IF',
  'INSERT',
  'LEFT',
  'MOD',
  'REPEAT',
  'REPLACE',
  'RIGHT',
  'VALUES',
  'DEFAULT',
  'INTERVAL',
  'DATABASE',
  'SCHEMA',
  'USER',
  'GROUPING',
])
const typeWords = new Set(
  'CHAR CHARACTER VARCHAR BINARY SET SIGNED UNSIGNED INTEGER INT DECIMAL DEC NUMERIC DATE DATETIME TIME TIMESTAMP YEAR JSON DOUBLE FLOAT REAL PRECISION ARRAY NCHAR NATIONAL ASCII UNICODE UTF8 UTF8MB4 UTF8MB3 LATIN1 COLLATE POINT GEOMETRY INET6 INET4 UUID VECTOR BIGINT'.split(
    ' ',
  ),
)
