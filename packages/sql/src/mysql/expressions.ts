// Expressions, flat: operand, operator, operand. Ranks of operators do not change which columns, tables and functions are named.

import { readCall } from './calls.js'
import type { Cursor } from './cursor.js'
import { isQueryAhead } from './grammar.js'
import type { Grammar } from './grammar.js'
import type { Token } from './lexer.js'
import { joining, Terms } from './narrowing.js'
import type { Narrowing } from './narrowing.js'
import type { Block } from './reading.js'
import { constantWords, infixSigns, infixWords, intervalUnits } from './words.js'

export function readExpression(grammar: Grammar, block: Block): Narrowing {
  return grammar.cursor.nested(() => new Expression(grammar, block).read())
}

class Expression {
  readonly #grammar: Grammar
  readonly #cursor: Cursor
  readonly #block: Block
  readonly #terms = new Terms()

  constructor(grammar: Grammar, block: Block) {
    this.#grammar = grammar
    this.#cursor = grammar.cursor
    this.#block = block
  }

  read(): Narrowing {
    let left = this.#shapedOperand()
    while (this.#infix()) {
      const right = this.#shapedOperand()
      this.#terms.sides(left, right)
      left = right
    }
    return this.#terms.narrowing
  }

  /** How an operand that looks at columns is written: without parentheses. */
  #shapedOperand(): string | undefined {
    const { columns } = this.#grammar.reading
    const before = columns.length
    const from = this.#cursor.at
    const counts = this.#operand()
    if (columns.length === before) return undefined
    if (counts) this.#terms.looks()
    const tokens = this.#cursor.tokens.slice(from, this.#cursor.at).filter(({ value }) => value !== '(' && value !== ')')
    return tokens.map(({ value }) => value.toLowerCase()).join(' ')
  }

  /** Whether an operand follows. */
  #infix(): boolean {
    const cursor = this.#cursor
    const { token } = cursor
    if (!isInfix(token)) return false
    cursor.at += 1
    this.#terms.operator(token.value)
    return token.kind === 'operator' || this.#infixWord(token.value)
  }

  #infixWord(word: string): boolean {
    const cursor = this.#cursor
    switch (word) {
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
        if (cursor.token?.kind === 'string') cursor.at += 1
        else if (!cursor.word('BINARY')) cursor.name()
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

  /** Whether what it looks at can narrow the term around it. */
  #operand(): boolean {
    const cursor = this.#cursor
    const from = cursor.at
    while (cursor.sign('+', '-', '~', '!') || cursor.word('NOT', 'BINARY'));
    const { token } = cursor
    if (token === undefined) return cursor.fail()
    if (token.kind === 'operator') return this.#group(cursor.at > from)
    if (token.kind === 'word') this.#word(token.value)
    else if (token.kind === 'quoted') this.#named()
    else if (token.kind === 'string') while (cursor.token?.kind === 'string') cursor.at += 1
    else cursor.at += 1
    return true
  }

  /** One expression in parentheses narrows as what is inside does; where it is negated or compared, its opposite must as well. */
  #group(signed: boolean): boolean {
    const cursor = this.#cursor
    cursor.needSign('(')
    const inner = this.#queryOrList()
    cursor.needSign(')')
    if (inner === undefined) return true
    const next = cursor.token
    const compares = isInfix(next) && !joining.has(next.value)
    return inner.bounded && (inner.opposed || !(signed || this.#terms.compared || compares))
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
      cursor.nested(() => this.#grammar.query(this.#block))
      return undefined
    }
    const only = this.#sub()
    if (!cursor.isSign(',')) return only
    while (cursor.sign(',')) this.#sub()
    return undefined
  }

  #sub(): Narrowing {
    return this.#grammar.expression(this.#block)
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
      return readCall(this.#grammar, this.#block, undefined, word)
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
    if (cursor.isSign('(')) return readCall(this.#grammar, this.#block, undefined, (parts[0] as string).toUpperCase())
    while (parts.length < 3 && cursor.sign('.')) parts.push(cursor.nameAfterDot())
    if (parts.length === 2 && cursor.isSign('(')) return readCall(this.#grammar, this.#block, parts[0], parts[1] as string)
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
}

function isInfix(token: Token | undefined): token is Token {
  if (token?.kind === 'operator') return infixSigns.has(token.value)
  return token?.kind === 'word' && infixWords.has(token.value)
}
