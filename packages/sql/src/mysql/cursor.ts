// A place in the tokens of one text. Everything the grammar does not expect ends the reading: the statement then counts as not understood.

import type { Token } from './lexer.js'
import { clauseWords, reservedWords } from './words.js'

export class NotUnderstood extends Error {}

/** Sub-selects and parentheses inside each other; MySQL itself stops at its stack, people long before. */
const maxDepth = 200

export class Cursor {
  readonly tokens: readonly Token[]
  at = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
  }

  get token(): Token | undefined {
    return this.tokens[this.at]
  }

  ahead(by: number): Token | undefined {
    return this.tokens[this.at + by]
  }

  get atEnd(): boolean {
    return this.at >= this.tokens.length || this.isSign(';')
  }

  isWord(...words: readonly string[]): boolean {
    const { token } = this
    return token?.kind === 'word' && words.includes(token.value)
  }

  isWordAhead(by: number, ...words: readonly string[]): boolean {
    const token = this.ahead(by)
    return token?.kind === 'word' && words.includes(token.value)
  }

  isSign(...signs: readonly string[]): boolean {
    const { token } = this
    return token?.kind === 'operator' && signs.includes(token.value)
  }

  isSignAhead(by: number, sign: string): boolean {
    const token = this.ahead(by)
    return token?.kind === 'operator' && token.value === sign
  }

  /** Takes the word where it is one of these. */
  word(...words: readonly string[]): boolean {
    if (!this.isWord(...words)) return false
    this.at += 1
    return true
  }

  sign(...signs: readonly string[]): boolean {
    if (!this.isSign(...signs)) return false
    this.at += 1
    return true
  }

  /** Takes all of these words in their order, or none. */
  words(...words: readonly string[]): boolean {
    if (!words.every((each, index) => this.isWordAhead(index, each))) return false
    this.at += words.length
    return true
  }

  needWord(...words: readonly string[]): void {
    if (!this.word(...words)) this.fail()
  }

  needSign(sign: string): void {
    if (!this.sign(sign)) this.fail()
  }

  take(): Token {
    const { token } = this
    if (token === undefined || this.isSign(';')) return this.fail()
    this.at += 1
    return token
  }

  fail(): never {
    const { token } = this
    throw new NotUnderstood(token === undefined ? 'the text ends too early' : `at ${token.kind} ${token.value.slice(0, 40)}`)
  }

  /** A name: in backquotes, or a word that is not reserved. */
  name(): string {
    const { token } = this
    if (token?.kind === 'quoted' || (token?.kind === 'word' && !reservedWords.has(token.value))) return nameOf(this.take(), this)
    return this.fail()
  }

  /** After a dot every word is a name. */
  nameAfterDot(): string {
    const { token } = this
    return token?.kind === 'quoted' || token?.kind === 'word' ? nameOf(this.take(), this) : this.fail()
  }

  /** `[AS] alias`; without AS only a word that cannot begin a clause. */
  alias(strings: boolean): string | undefined {
    const explicit = this.word('AS')
    const { token } = this
    if (token?.kind === 'quoted' || (strings && token?.kind === 'string')) return this.take().value
    if (token?.kind === 'word' && !clauseWords.has(token.value) && !reservedWords.has(token.value)) return nameOf(this.take(), this)
    return explicit ? this.fail() : undefined
  }

  /** One level deeper. */
  nested<T>(read: () => T): T {
    this.#depth += 1
    if (this.#depth > maxDepth) throw new NotUnderstood('too deeply nested')
    try {
      return read()
    } finally {
      this.#depth -= 1
    }
  }

  /** Skips a balanced pair of parentheses whose content names nothing. */
  skipParentheses(): void {
    this.needSign('(')
    for (let depth = 1; depth > 0;) {
      const token = this.take()
      if (token.kind === 'operator' && token.value === '(') depth += 1
      if (token.kind === 'operator' && token.value === ')') depth -= 1
    }
  }

  nameList(): string[] {
    const names = [this.name()]
    while (this.sign(',')) names.push(this.name())
    return names
  }
}

function nameOf({ value, name = value }: Token, cursor: Cursor): string {
  return name === '' || name.includes('\0') ? cursor.fail() : name
}
