// MySQL text to tokens, strictly: what this lexer and the server could read in two ways is a fault. It relies on what the gateway pins at login: a
// UTF-8 connection, and a sql_mode without ANSI_QUOTES and NO_BACKSLASH_ESCAPES. Texts are byte strings (latin1), so that no byte is lost; bytes of
// UTF-8 sequences are above ASCII and mean nothing to the lexer, as at the server.

type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'literal' | 'operator' | 'parameter' | 'variable'

import { runsComment } from './server-version.js'
import type { ServerVersion } from './server-version.js'

export interface Token {
  readonly kind: TokenKind
  /** Byte offsets in the text. */
  readonly start: number
  readonly end: number
  /** Words in upper case; names in backquotes without them, decoded; strings without quotes, decoded; else as written. */
  readonly value: string
  /** A word as a name: servers may tell `Users` from `users`. */
  readonly name?: string
}

export interface Lexed {
  readonly tokens: readonly Token[]
  /** What goes to the server: the text without comments. */
  readonly canonical: string
}

export class LexFault extends Error {}

/** 1 MB of the shortest tokens would be a million of them. */
const maxTokens = 400_000
const introducers = new Set(['_UTF8', '_UTF8MB3', '_UTF8MB4', '_BINARY', '_LATIN1', '_ASCII'])
const operators = ['<=>', '->>', '<<', '>>', '<=', '>=', '<>', '!=', ':=', '&&', '||', '->']
const singles = '+-*/%&|^~!<>=(),.;:'

const word = /[A-Za-z0-9_$\x80-\xff]+/y
const number = /(?:0x[0-9a-fA-F]+|0b[01]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![A-Za-z0-9_$\x80-\xff])/y
const space = /[ \t\n\v\f\r]+/y
const variableName = /[A-Za-z0-9_$.\x80-\xff]+/y

export const decode = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8')

/** `server`: which executable comments are part of the text; undefined: only those that every server runs can be read. */
export function lex(text: string, server?: ServerVersion): Lexed {
  return new Lexer(text, server).run()
}

class Lexer {
  readonly #text: string
  readonly #server: ServerVersion | undefined
  readonly #tokens: Token[] = []
  #at = 0
  #hasComments = false
  #inExecutable = false

  constructor(text: string, server: ServerVersion | undefined) {
    this.#text = text
    this.#server = server
  }

  run(): Lexed {
    while (this.#at < this.#text.length) {
      if (this.#skip(space) || this.#comment()) continue
      this.#token()
      if (this.#tokens.length > maxTokens) throw new LexFault('the text has too many tokens')
    }
    if (this.#inExecutable) throw new LexFault('an executable comment has no end')
    return { tokens: this.#tokens, canonical: this.#hasComments ? this.#withoutComments() : this.#text }
  }

  /** A text of comments alone stays one: a server may answer it with OK, and one that is empty with an error. */
  #withoutComments(): string {
    if (this.#tokens.length === 0) return '/* */'
    const parts: string[] = []
    let before = 0
    for (const { start, end } of this.#tokens) {
      const gap = this.#text.slice(before, start)
      parts.push(/^[ \t\n\v\f\r]*$/.test(gap) ? gap : ' ', this.#text.slice(start, end))
      before = end
    }
    return parts.join('').trim()
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    if (!pattern.test(this.#text)) return false
    this.#at = pattern.lastIndex
    return true
  }

  #comment(): boolean {
    const text = this.#text
    if (text[this.#at] === '#' || (text.startsWith('--', this.#at) && isBlank(text.charCodeAt(this.#at + 2)))) {
      const end = text.indexOf('\n', this.#at)
      this.#at = end < 0 ? text.length : end
      this.#hasComments = true
      return true
    }
    if (this.#inExecutable && text.startsWith('*/', this.#at)) {
      this.#inExecutable = false
      this.#at += 2
      return true
    }
    if (!text.startsWith('/*', this.#at)) return false
    this.#hasComments = true
    if (/^\/\*M?!/.test(text.slice(this.#at, this.#at + 4))) this.#executable()
    else this.#skipComment()
    return true
  }

  /** Plain comments and optimizer hints do not nest, and go no further. */
  #skipComment(): void {
    const end = this.#text.indexOf('*/', this.#at + 2)
    if (end < 0) throw new LexFault('a comment has no end')
    this.#at = end + 2
  }

  /** What is inside is part of the text where the server would run it, and a comment where it would not. */
  #executable(): void {
    if (this.#inExecutable) throw new LexFault('an executable comment inside another')
    const [all = '', ofMariadb = '', digits = ''] = /^\/\*(M?)!(\d*)/.exec(this.#text.slice(this.#at, this.#at + 16)) ?? []
    const runs = runsComment(this.#server, ofMariadb !== '', digits)
    if (runs === undefined) throw new LexFault('an executable comment that not every server runs')
    if (runs) {
      this.#at += all.length
      this.#inExecutable = true
      return
    }
    const from = this.#at + all.length
    this.#skipComment()
    // A comment that is skipped may hold others (sql_lex.cc, consume_comment), a plain one may not.
    if (this.#text.slice(from, this.#at).includes('/*'))
      throw new LexFault('a comment inside an executable comment that is skipped')
  }

  #token(): void {
    const text = this.#text
    const start = this.#at
    const first = text[start] as string
    if (first === "'" || first === '"') return this.#string(start)
    if (first === '`') return this.#push('quoted', start, decode(this.#enclosed('`')))
    if (first === '@') return this.#variable(start)
    if (first === '?') return this.#push('parameter', start, '?', ++this.#at)
    if (/[0-9]/.test(first) || (first === '.' && /[0-9]/.test(text[start + 1] ?? ''))) return this.#number(start)
    if (this.#skip(word)) return this.#word(start)
    // NULL, at MariaDB and at MySQL before 8.0.
    if (text.startsWith('\\N', start)) return this.#push('word', start, 'NULL', (this.#at += 2))
    const operator = operators.find((each) => text.startsWith(each, start)) ?? (singles.includes(first) ? first : undefined)
    if (operator === undefined) throw new LexFault(`the character ${JSON.stringify(first)} cannot stand here`)
    this.#at += operator.length
    this.#push('operator', start, operator)
  }

  #push(kind: TokenKind, start: number, value: string, end = this.#at): void {
    this.#tokens.push({ kind, start, end, value })
  }

  #number(start: number): void {
    const before = this.#tokens[this.#tokens.length - 1]
    const touchesName = this.#text[start] === '.' && before?.end === start && (before.kind === 'word' || before.kind === 'quoted')
    const afterDot = before?.value === '.' && before.kind === 'operator'
    if (touchesName || afterDot || !this.#skip(number)) throw new LexFault('a number that could be a name')
    this.#push('number', start, this.#text.slice(start, this.#at))
  }

  #word(start: number): void {
    const written = this.#text.slice(start, this.#at)
    const name = isAscii(written) ? written : decode(written)
    const upper = isAscii(written) ? written.toUpperCase() : name
    const next = this.#text[this.#at]
    // MySQL 9 reads $tag$...$tag$ as one text.
    if (/^\$[^$]*\$/.test(written)) throw new LexFault('a name that could be the beginning of a text in dollars')
    const isPrefix = next === "'" && (upper === 'X' || upper === 'B' || upper === 'N')
    const isIntroducer = upper.startsWith('_') && this.#beforeLiteral()
    if (isIntroducer && !introducers.has(upper)) throw new LexFault(`the character set of ${upper} is not one this gateway reads`)
    if (!isPrefix) {
      this.#tokens.push({ kind: 'word', start, end: this.#at, value: upper, name })
      return
    }
    const content = this.#enclosed("'")
    if ((upper === 'X' && !/^[0-9a-fA-F]*$/.test(content)) || (upper === 'B' && !/^[01]*$/.test(content)))
      throw new LexFault('a literal of other digits than its own')
    this.#push('literal', start, '')
  }

  #beforeLiteral(): boolean {
    return /^[ \t\n\v\f\r]*(?:['"]|0[xb]|[xXbB]')/.test(this.#text.slice(this.#at, this.#at + 64))
  }

  #string(start: number): void {
    const content = this.#enclosed(this.#text[start] as string)
    this.#push('string', start, decode(content))
  }

  /** From a quote to its end; a doubled quote, and in strings a backslash, stand for what follows. */
  #enclosed(quote: string): string {
    const text = this.#text
    const parts: string[] = []
    let from = this.#at + 1
    for (let at = from; ; at += 1) {
      const here = text[at]
      if (here === undefined) throw new LexFault('a quote has no end')
      if (here === '\0') throw new LexFault('a NUL inside quotes')
      if (here === '\\' && quote !== '`') {
        parts.push(text.slice(from, at), unescaped(text[at + 1] ?? ''))
        at += 1
        from = at + 1
      } else if (here === quote) {
        parts.push(text.slice(from, at))
        if (text[at + 1] !== quote) {
          this.#at = at + 1
          return parts.join('')
        }
        parts.push(quote)
        at += 1
        from = at + 1
      }
    }
  }

  /** `@name`, `@'name'`, `@@name`, `@@session.name`; also the host of an account. */
  #variable(start: number): void {
    const system = this.#text[start + 1] === '@'
    this.#at += system ? 2 : 1
    const next = this.#text[this.#at] ?? ''
    const sign = system ? '@@' : '@'
    if ('\'"`'.includes(next) && next !== '') {
      if (system) throw new LexFault('a quoted system variable')
      return this.#push('variable', start, `@${decode(this.#enclosed(next)).toLowerCase()}`)
    }
    const named = this.#skip(variableName) ? decode(this.#text.slice(start + sign.length, this.#at)).toLowerCase() : ''
    if (named === '' && system) throw new LexFault('a system variable without a name')
    this.#push('variable', start, `${sign}${named}`)
  }
}

const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text)

/** Whitespace or a control character; NaN: the end of the text. */
const isBlank = (code: number): boolean => Number.isNaN(code) || code <= 0x20 || code === 0x7f

function unescaped(letter: string): string {
  const known: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', 0: '\0', Z: '\x1a' }
  return known[letter] ?? letter
}
