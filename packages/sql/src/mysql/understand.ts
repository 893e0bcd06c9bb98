// From a text to what a session must know of it: what it does, whether it may at all, what goes on in its place, what it leaves behind.

import { isUtf8 } from 'node:buffer'
import type { Effect } from '@sallyport/core'
import type { MysqlCatalog } from './catalog.js'
import { NotUnderstood } from './cursor.js'
import { Effects } from './effects.js'
import { decode, lex, LexFault } from './lexer.js'
import type { Lexed } from './lexer.js'
import { parse } from './parse.js'
import type { ServerVersion } from './server-version.js'
import type { Statement } from './statement.js'

export interface MysqlContext {
  readonly catalog: MysqlCatalog
  /** The session's default database; '?' where it cannot be told, '' where there is none. */
  readonly database: string
  /** `database.table` of temporary tables made in this session, in lower case. */
  readonly temporaries: ReadonlySet<string>
  readonly trustedFunctions: readonly string[]
}

export interface MysqlUnderstanding {
  readonly effects: readonly Effect[]
  /** The text with credentials in it covered. */
  readonly text: string
  readonly understood: boolean
  /** Outside of strings it is UTF-8. A text that is not cannot be told from others as it is shown. */
  readonly isReadable: boolean
  readonly refusal?: string
  /** What goes to the server (a byte string), where it is not the text as it came: comments are left out. */
  readonly canonical?: string
  readonly use?: string
  readonly prepares: readonly {
    readonly name: string
    readonly effects: readonly Effect[]
    readonly text: string
    readonly diagnostics: boolean
  }[]
  readonly executes: readonly string[]
  readonly deallocates: readonly string[]
  readonly kills?: { readonly id: number; readonly what: 'query' | 'connection' }
  /** It repeats the texts of errors of statements before it. */
  readonly diagnostics: boolean
  readonly changesCatalog: boolean
  /** `database.table`, in lower case. */
  readonly makesTemporary: readonly string[]
  /** It may run what could not be read, so the session's settings must be said again after it. */
  readonly unsettles: boolean
}

/** Longer texts are not read: they count as not understood. As long as the wire holds; values that clients write into texts make them long. */
const maxTextBytes = 64 * 1024 * 1024
/** A text that was not read is searched for words about passwords up to here; no statement that sets one is this long. */
const maxSecretBytes = 1024 * 1024
/** `inString`: the text of a PREPARE or EXECUTE IMMEDIATE. */
export function understandMysql(bytes: string, context: MysqlContext, inString = false): MysqlUnderstanding {
  try {
    const { lexed, statements } = parseText(bytes, context.catalog.server)
    return new Meaning(bytes, lexed, context, inString).of(statements)
  } catch (error) {
    if (error instanceof LexFault) return { ...notUnderstood(bytes), refusal: `the text cannot be read safely: ${error.message}` }
    if (error instanceof NotUnderstood) return notUnderstood(bytes)
    throw error
  }
}

export function parseText(
  bytes: string,
  server: ServerVersion | undefined,
): { readonly lexed: Lexed; readonly statements: Statement[] } {
  if (bytes.length > maxTextBytes) throw new NotUnderstood('too long')
  const lexed = lex(bytes, server)
  return { lexed, statements: parse(lexed.tokens, server) }
}

export function notUnderstood(bytes: string): MysqlUnderstanding {
  return {
    effects: [{ access: 'unknown', verb: 'query', object: '' }],
    text: shownUnread(bytes),
    understood: false,
    isReadable: isUtf8Text(bytes),
    prepares: [],
    executes: [],
    deallocates: [],
    diagnostics: false,
    changesCatalog: true,
    makesTemporary: [],
    unsettles: true,
  }
}

/** A text that was not read may hold a password; no statement that sets one is long. */
function shownUnread(bytes: string): string {
  if (bytes.length > maxSecretBytes || !holdsSecretWords(bytes)) return decode(bytes)
  return '[covered: a text about passwords that could not be read]'
}

// oxlint-disable-next-line no-control-regex -- the range is ASCII itself
export const isUtf8Text = (bytes: string): boolean => /^[\0-\x7f]*$/.test(bytes) || isUtf8(Buffer.from(bytes, 'latin1'))

/** Near these a string may be a password. */
export const holdsSecretWords = (bytes: string): boolean =>
  /\b(?:identified|password|master_password|source_password)\b/i.test(bytes)

class Meaning {
  readonly #bytes: string
  readonly #lexed: Lexed
  readonly #context: MysqlContext
  readonly #inString: boolean
  readonly #effects: Effects

  constructor(bytes: string, lexed: Lexed, context: MysqlContext, inString: boolean) {
    this.#bytes = bytes
    this.#lexed = lexed
    this.#context = context
    this.#inString = inString
    this.#effects = new Effects(context)
  }

  of(statements: readonly Statement[]): MysqlUnderstanding {
    for (const statement of statements) this.#effects.of(statement)
    const prepared = statements.flatMap((statement) => this.#prepares(statement))
    const immediate = statements.flatMap(({ executesText }) => (executesText === undefined ? [] : [this.#inner(executesText.text)]))
    for (const { effects } of immediate) for (const effect of effects) this.#effects.add(effect)
    const refusal = this.#refusal(statements, immediate)
    const effects = this.#effects.all
    const text = this.#shownText(statements)
    // What a text reads besides counts for what it opens as well.
    const opened = statements.flatMap(({ opens }) =>
      opens === undefined ? [] : [{ name: opens, effects, text, diagnostics: false }],
    )
    const use = statements.length === 1 ? statements[0]?.use : undefined
    const kills = statements.length === 1 ? statements[0]?.kills : undefined
    const { canonical } = this.#lexed
    return {
      effects,
      text,
      understood: true,
      isReadable: this.#isReadable(statements),
      ...(refusal === undefined ? {} : { refusal }),
      ...(canonical === this.#bytes ? {} : { canonical }),
      ...(use === undefined ? {} : { use }),
      prepares: [...prepared, ...opened],
      executes: statements.flatMap(({ executes }) => (executes === undefined ? [] : [executes])),
      deallocates: statements.flatMap(({ deallocates }) => (deallocates === undefined ? [] : [deallocates])),
      ...(kills === undefined ? {} : { kills }),
      diagnostics: statements.some(({ diagnostics }) => diagnostics === true) || immediate.some(({ diagnostics }) => diagnostics),
      changesCatalog:
        statements.some(({ changesCatalog }) => changesCatalog === true) || immediate.some((each) => each.changesCatalog),
      makesTemporary: statements.flatMap(({ makesTemporary }) =>
        makesTemporary === undefined ? [] : [this.#effects.nameOf(makesTemporary).toLowerCase()],
      ),
      unsettles:
        effects.some(({ access }) => access === 'unknown') ||
        statements.some(({ executes, unsettles }) => executes !== undefined || unsettles === true),
    }
  }

  #refusal(statements: readonly Statement[], immediate: readonly MysqlUnderstanding[]): string | undefined {
    if (statements.length > 1) {
      if (statements.some(({ use }) => use !== undefined)) return 'USE must be sent alone'
      if (statements.some(({ kills }) => kills !== undefined)) return 'KILL must be sent alone'
      if (statements.some(({ makesTemporary }) => makesTemporary !== undefined)) return 'CREATE TEMPORARY TABLE must be sent alone'
    }
    const unsettling = statements.findIndex(({ unsettles }) => unsettles === true)
    if (unsettling >= 0 && (this.#inString || unsettling < statements.length - 1))
      return 'a sql_mode or character set that is not written out must be set by a statement sent alone'
    const inner = [
      ...immediate,
      ...statements.flatMap(({ prepares }) => (prepares === undefined ? [] : [this.#inner(prepares.text)])),
    ]
    const names = ({ use, kills, executes, prepares }: MysqlUnderstanding): boolean =>
      use !== undefined || kills !== undefined || executes.length > 0 || prepares.length > 0
    if (inner.some(names)) return 'USE, KILL, EXECUTE and HANDLER must be sent as statements of their own'
    return (
      statements.find((statement) => statement.refusal !== undefined)?.refusal ??
      inner.find((each) => each.refusal !== undefined)?.refusal
    )
  }

  /** A statement inside a string is read as the statement it is; in a variable it is unknown. */
  #inner(text: string | undefined): MysqlUnderstanding {
    if (text === undefined) return notUnderstood('')
    return understandMysql(Buffer.from(text, 'utf8').toString('latin1'), this.#context, true)
  }

  /** To prepare is judged as to run: EXECUTE needs then only to be known. */
  #prepares({ prepares }: Statement): MysqlUnderstanding['prepares'] {
    if (prepares === undefined) return []
    const inner = this.#inner(prepares.text)
    for (const effect of inner.effects) this.#effects.add(effect)
    return [{ name: prepares.name, effects: inner.effects, text: inner.text, diagnostics: inner.diagnostics }]
  }

  #isReadable(statements: readonly Statement[]): boolean {
    if (isUtf8Text(this.#bytes)) return true
    if (statements.some(({ prepares, executesText }) => prepares !== undefined || executesText !== undefined)) return false
    return isUtf8Text(this.#withStrings(() => ''))
  }

  /** With credentials covered, and strings of other bytes than UTF-8 by their bytes, escapes and all. */
  #shownText(statements: readonly Statement[]): string {
    if (statements.some(({ holdsSecret }) => holdsSecret === true) || holdsSecretWords(this.#bytes))
      return decode(this.#withStrings(() => `'[covered]'`))
    if (isUtf8Text(this.#bytes)) return decode(this.#bytes)
    const shown = (string: string): string =>
      isUtf8Text(string) ? string : `x'${Buffer.from(string.slice(1, -1), 'latin1').toString('hex')}'`
    return decode(this.#withStrings(shown))
  }

  #withStrings(shown: (string: string) => string): string {
    const parts: string[] = []
    let before = 0
    for (const { kind, start, end } of this.#lexed.tokens) {
      if (kind !== 'string') continue
      parts.push(this.#bytes.slice(before, start), shown(this.#bytes.slice(start, end)))
      before = end
    }
    return [...parts, this.#bytes.slice(before)].join('')
  }
}
