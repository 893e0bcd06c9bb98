// psql and mysql: the SQL in their arguments or in an input that the line itself holds is handed on. Whatever else they are told (files, variables,
// start-up commands, options nobody here knows) can be anything: both take every long option by its first letters.

import type { Findings } from './findings.js'
import type { Invocation, Place } from './place.js'
import { anyFile, report } from './report.js'
import { isUnknown } from './words.js'

type Reader = (invocation: Invocation & { readonly name: string }, found: Findings, place: Place) => void

interface SqlProgram {
  readonly dialect: 'postgres' | 'mysql'
  /** The short option that takes a text. */
  readonly text: string
  readonly longText: string
  /** Short options without a value, with one, and with one that is written to them or not there. */
  readonly flags: string
  readonly valued: string
  readonly attached: string
  readonly longFlags: readonly string[]
  readonly longValued: readonly string[]
  /** What the program itself takes for its own in a text. */
  readonly own: RegExp
}

/** PostgreSQL documentation, "psql", Options; those are left out that read or write files, set variables or print for other programs. */
const psql: SqlProgram = {
  dialect: 'postgres',
  text: 'c',
  longText: 'command',
  flags: 'qtAxX1EeabnwWHz0',
  valued: 'dhpUFR',
  attached: '',
  longFlags: [
    'no-password',
    'password',
    'quiet',
    'tuples-only',
    'csv',
    'no-align',
    'expanded',
    'html',
    'no-psqlrc',
    'single-transaction',
    'echo-hidden',
    'echo-queries',
    'echo-all',
    'echo-errors',
    'no-readline',
    'field-separator-zero',
    'record-separator-zero',
  ],
  longValued: ['dbname', 'host', 'port', 'username', 'field-separator', 'record-separator'],
  own: /\\/,
}

/** MySQL reference manual, "mysql Client Options" and "mysql Client Commands". */
const mysql: SqlProgram = {
  dialect: 'mysql',
  text: 'e',
  longText: 'execute',
  flags: 'BNsvtHXfqrAbCEwUnG',
  valued: 'uhPDS',
  attached: 'p',
  longFlags: [
    'batch',
    'skip-column-names',
    'silent',
    'verbose',
    'table',
    'html',
    'xml',
    'force',
    'quick',
    'raw',
    'no-auto-rehash',
    'compress',
    'vertical',
    'safe-updates',
    'unbuffered',
    'password',
    'ssl',
    'skip-ssl',
    'ssl-verify-server-cert',
    'no-defaults',
    'column-names',
  ],
  longValued: ['user', 'host', 'port', 'database', 'socket', 'protocol', 'password', 'connect-timeout', 'ssl-mode', 'ssl-ca'],
  own: /\\|(^|;|\n)\s*(system|source|tee|pager|edit|nopager|notee|delimiter|connect|charset|prompt|resetconnection|query_attributes|ssl_session_data_print)\b/i,
}

interface Given {
  readonly texts: readonly string[]
  /** Every argument is known for what it is. */
  readonly plain: boolean
}

function givenTo(program: SqlProgram, args: readonly string[]): Given {
  const texts: string[] = []
  let plain = true
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? ''
    if (arg === '--') break
    const read = arg.startsWith('--') ? longOption(program, arg, args[at + 1]) : shortOptions(program, arg, args[at + 1])
    if (read === undefined) plain = false
    else {
      if (read.text !== undefined) texts.push(read.text)
      at += read.took
    }
  }
  return { texts, plain }
}

/** An option, the text it brings, and how many of the arguments after it belong to it. */
interface Option {
  readonly text?: string
  readonly took: number
}

function longOption({ longText, longFlags, longValued }: SqlProgram, arg: string, next: string | undefined): Option | undefined {
  const equals = arg.indexOf('=')
  const name = arg.slice(2, equals < 0 ? undefined : equals)
  const value = equals < 0 ? undefined : arg.slice(equals + 1)
  if (name === longText) return value === undefined ? withText(next, 1) : withText(value, 0)
  if (value === undefined && longFlags.includes(name)) return { took: 0 }
  if (!longValued.includes(name)) return undefined
  return value === undefined ? { took: 1 } : { took: 0 }
}

function shortOptions(program: SqlProgram, arg: string, next: string | undefined): Option | undefined {
  // A database or a user: which is no option, unless it may turn out to be one.
  if (!arg.startsWith('-') || arg === '-') return arg.startsWith('\ufffd') ? undefined : { took: 0 }
  for (let index = 1; index < arg.length; index += 1) {
    const letter = arg[index] ?? ''
    const rest = arg.slice(index + 1)
    if (letter === program.text) return rest === '' ? withText(next, 1) : withText(rest, 0)
    if (program.attached.includes(letter)) return { took: 0 }
    if (program.valued.includes(letter)) return { took: rest === '' ? 1 : 0 }
    if (!program.flags.includes(letter)) return undefined
  }
  return { took: 0 }
}

const withText = (text: string | undefined, took: number): Option | undefined => (text === undefined ? undefined : { text, took })

const readerOf =
  (program: SqlProgram): Reader =>
  (invocation, found, place) => {
    const { name, args, input } = invocation
    const given = givenTo(program, args)
    // With a text in its arguments, it reads none of its input.
    const texts = given.texts.length > 0 || input === undefined ? given.texts : [input]
    const known = given.plain && texts.length > 0 && texts.every((text) => !isUnknown(text) && !program.own.test(text))
    report(found, invocation, name, known ? 'read' : 'unknown', !known)
    for (const text of texts) if (!isUnknown(text)) found.sql.push({ dialect: program.dialect, text })
    if (!known) anyFile(args, found, place)
  }

export const sqlReaders: readonly (readonly [string, Reader])[] = [
  ['psql', readerOf(psql)],
  ['mysql', readerOf(mysql)],
  ['mariadb', readerOf(mysql)],
]
