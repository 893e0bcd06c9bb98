// Expressions, flat: operand, operator, operand. Ranks of operators do not change which columns, tables and functions are named.

import type { Cursor } from './cursor.js'
import type { Block, Narrowing, Reading } from './reading.js'
import {
  argumentWords,
  comparisonSigns,
  comparisonWords,
  constantWords,
  infixSigns,
  infixWords,
  intervalUnits,
  reservedFunctions,
  reservedWords,
  typeWords,
  windowWords,
} from './words.js'

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
  /** `id = 5 = 0` compares what a comparison came to, and holds for every other row. */
  comparisons: number
  selfCompared: boolean
}

const newTerm = (): Term => ({ columns: 0, comparisons: 0, selfCompared: false })

export function readExpression(grammar: Grammar, block: Block): Narrowing {
  return grammar.cursor.nested(() => new Expression(grammar, block).read())
}

/** `id` and `orders.id` are one column, wherever both can be written. */
function isSame(left: string | undefined, right: string | undefined): boolean {
  if (left === undefined || right === undefined) return false
  return left === right || left.endsWith(` . ${right}`) || right.endsWith(` . ${left}`)
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
  readonly #alternatives: Term[][] = [[newTerm()]]
  #between = 0
  /** Whether the operand at hand is the right side of something that is neither AND nor OR. */
  #compared = false

  constructor(grammar: Grammar, block: Block) {
    this.#grammar = grammar
    this.#cursor = grammar.cursor
    this.#block = block
  }

  read(): Narrowing {
    let left = this.#shapedOperand()
    while (this.#infix()) {
      const right = this.#shapedOperand()
      // `x = x` is true of every row that has an x.
      if (this.#compared && isSame(left, right)) this.#term.selfCompared = true
      left = right
    }
    const narrows = (term: Term): boolean => term.columns > 0 && term.comparisons < 2 && !term.selfCompared
    return {
      bounded: this.#alternatives.every((terms) => terms.some(narrows)),
      opposed: this.#alternatives.some((terms) => terms.every(narrows)),
    }
  }

  /** How an operand that looks at columns is written: without parentheses. */
  #shapedOperand(): string | undefined {
    const { columns } = this.#grammar.reading
    const before = columns.length
    const from = this.#cursor.at
    this.#operand()
    if (columns.length === before) return undefined
    const tokens = this.#cursor.tokens.slice(from, this.#cursor.at).filter(({ value }) => value !== '(' && value !== ')')
    return tokens.map(({ value }) => value.toLowerCase()).join(' ')
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
      if (token.value === '||') this.#alternatives.push([newTerm()])
      if (token.value === '&&') this.#alternatives[this.#alternatives.length - 1]?.push(newTerm())
      this.#compared = token.value !== '||' && token.value !== '&&'
      if (comparisonSigns.has(token.value)) this.#term.comparisons += 1
      return true
    }
    if (token.kind !== 'word' || !infixWords.has(token.value)) return false
    cursor.at += 1
    if (comparisonWords.has(token.value)) this.#term.comparisons += 1
    return this.#infixWord(token.value)
  }

  /** Whether an operand follows. */
  #infixWord(word: string): boolean {
    const cursor = this.#cursor
    this.#compared = !['OR', 'XOR', 'AND'].includes(word)
    switch (word) {
      case 'OR':
      case 'XOR':
        this.#alternatives.push([newTerm()])
        return true
      case 'AND':
        if (this.#between > 0) this.#between -= 1
        else this.#alternatives[this.#alternatives.length - 1]?.push(newTerm())
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
    const from = cursor.at
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
        return this.#group(cursor.at > from)
      case 'quoted':
        return this.#named()
      case 'word':
        return this.#word(token.value)
      case undefined:
        return cursor.fail()
    }
  }

  /** One expression in parentheses narrows as what is inside does; where it is negated or compared, its opposite must as well. */
  #group(signed: boolean): void {
    const cursor = this.#cursor
    const term = this.#term
    const before = term.columns
    cursor.needSign('(')
    const inner = this.#queryOrList()
    cursor.needSign(')')
    if (inner === undefined) return
    const next = cursor.token
    const compares =
      (next?.kind === 'operator' && infixSigns.has(next.value) && next.value !== '&&' && next.value !== '||') ||
      (next?.kind === 'word' && infixWords.has(next.value) && !['AND', 'OR', 'XOR'].includes(next.value))
    const narrows = inner.bounded && (inner.opposed || !(signed || this.#compared || compares))
    if (!narrows) term.columns = before
  }

  #parenthesised(): void {
    const cursor = this.#cursor
    cursor.needSign('(')
    this.#queryOrList()
    cursor.needSign(')')
  }

  /** What a single expression says; undefined for a query or a list. */
  #queryOrList(): Narrowing | undefined {
    const cursor = this.#cursor
    let depth = 0
    while (cursor.isSignAhead(depth, '(')) depth += 1
    const inner = cursor.ahead(depth)
    const isQuery = inner?.kind === 'word' && ['SELECT', 'WITH'].includes(inner.value)
    if ((isQuery && depth === 0) || isQueryAhead(cursor)) {
      this.#subquery()
      return undefined
    }
    const only = this.#sub()
    if (!cursor.isSign(',')) return only
    while (cursor.sign(',')) this.#sub()
    return undefined
  }

  /** What a sub-select looks at may narrow what is around it. */
  #subquery(): void {
    const before = this.#grammar.reading.columns.length
    this.#cursor.nested(() => this.#grammar.query(this.#block))
    this.#term.columns += this.#grammar.reading.columns.length - before
  }

  /** An expression inside this one: what it says of columns counts for the term around it. */
  #sub(): Narrowing {
    const before = this.#grammar.reading.columns.length
    const narrowing = this.#grammar.expression(this.#block)
    this.#term.columns += this.#grammar.reading.columns.length - before
    return narrowing
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
