// A text with its numbers and plain strings taken out, so that the same query with other values is understood once. What a query or write does to
// which columns does not depend on a value, but whether two expressions are the same does: equal literals get equal marks.

import { indexOf, isDigit, isWord, markOf, maxLiterals, numberEnd, wordEnd } from '../numbers.js'

/** Only these say what they do without regard to any value; a SET or an EXECUTE IMMEDIATE, for one, does not. */
const opening = /^\s*(?:select|insert|replace|update|delete|with)\b/i
/** Longer texts are bulk, and come once. */
const maxBytes = 16_384

const quote = 39
const doubleQuote = 34
const backquote = 96
const backslash = 92
const dollar = 36
const dot = 46
const semicolon = 59
const dash = 45
const slash = 47
const star = 42
const hash = 35
const at = 64

/** After these a string is a value: an alias could only follow an expression. */
const beforeValues = new Set(Array.from('=(,<>', (sign) => sign.charCodeAt(0)))

/**
 * Undefined where the text holds anything whose end this short scan could get wrong (comments, prefixed strings, escapes outside of strings), and
 * where a second statement follows, which may be one whose values matter. `bytes` is a byte string.
 */
export function literalless(bytes: string): string | undefined {
  return bytes.length > maxBytes || !opening.test(bytes) ? undefined : new Scan(bytes).run()
}

class Scan {
  readonly #text: string
  readonly #numbers: string[] = []
  readonly #strings: string[] = []
  #out = ''
  #kept = 0
  #at = 0
  /** The last sign, word or literal: what a string that follows can be. */
  #before = 0

  constructor(text: string) {
    this.#text = text
  }

  run(): string | undefined {
    while (this.#at < this.#text.length) if (!this.#step()) return undefined
    return this.#out + this.#text.slice(this.#kept)
  }

  /** false: nothing certain can be said. */
  #step(): boolean {
    const text = this.#text
    const code = text.charCodeAt(this.#at)
    if (code === 32 || (code >= 9 && code <= 13)) {
      this.#at += 1
      return true
    }
    if (code < 32) return false
    if (isDigit(code)) return this.#number()
    if (isWord(code)) return this.#word(code)
    if (code === quote || code === doubleQuote) return this.#string(code)
    if (code === backquote) return this.#skipName()
    const next = text.charCodeAt(this.#at + 1)
    if (code === backslash || code === dollar || code === hash) return false
    if ((code === dash && next === dash) || (code === slash && next === star) || (code === dot && isDigit(next))) return false
    if (code === at && (isDigit(next) || next === quote || next === doubleQuote || next === backquote)) return false
    if (code === semicolon && text.slice(this.#at + 1).trim() !== '') return false
    this.#before = code
    this.#at += 1
    return true
  }

  #number(): boolean {
    const end = numberEnd(this.#text, this.#at)
    if (end === undefined || this.#numbers.length >= maxLiterals) return false
    this.#mark(markOf(this.#numbers, this.#text.slice(this.#at, end)), end)
    return true
  }

  #word(code: number): boolean {
    this.#at = wordEnd(this.#text, this.#at)
    this.#before = code
    const after = this.#text.charCodeAt(this.#at)
    return after !== quote && after !== doubleQuote
  }

  #skipName(): boolean {
    const end = this.#text.indexOf('`', this.#at + 1)
    this.#at = end + 1
    this.#before = backquote
    return end > 0
  }

  /** Strings that may be names stay, with their mark, since equal strings must be seen to be equal; of those with escapes nothing certain can be said. */
  #string(code: number): boolean {
    const text = this.#text
    let end = this.#at + 1
    while (text.charCodeAt(end) !== code) {
      const here = text.charCodeAt(end)
      if (Number.isNaN(here) || here === 0 || here === backslash) return false
      end += 1
    }
    if (text.charCodeAt(end + 1) === code || this.#strings.length >= maxLiterals) return false
    const mark = `s${indexOf(this.#strings, text.slice(this.#at + 1, end))}`
    if (!beforeValues.has(this.#before)) this.#at = end + 1
    this.#mark(mark, end + 1)
    this.#before = code
    return true
  }

  #mark(mark: string, end: number): void {
    this.#out += `${this.#text.slice(this.#kept, this.#at)}\u0001${mark}`
    this.#kept = end
    this.#at = end
    this.#before = 0
  }
}
