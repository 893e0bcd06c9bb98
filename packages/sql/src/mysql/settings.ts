// SET. What the lexer relies on may only be set to what it already is; the rest of a session's own settings are its own.

import type { Cursor } from './cursor.js'
import { readAdministration } from './definitions.js'
import type { Grammar } from './grammar.js'
import type { Token } from './lexer.js'
import type { Statement } from './statement.js'
import { allowedSqlModes } from './words.js'

const utf8Names = new Set(['utf8', 'utf8mb3', 'utf8mb4'])
/** How texts are read; results are only shown, so `character_set_results` is not among them. */
const pinned = new Set(['character_set_client', 'character_set_connection', 'collation_connection', 'character_set_filesystem'])
const pinnedReason =
  'texts must stay readable to the gateway: it keeps utf8mb4 and a sql_mode without ANSI_QUOTES, NO_BACKSLASH_ESCAPES and ORACLE'

export function readSet(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  cursor.needWord('SET')
  if (cursor.isWord('PASSWORD', 'ROLE', 'RESOURCE') || (cursor.isWord('DEFAULT') && cursor.isWordAhead(1, 'ROLE')))
    return readAccount(cursor, statement)
  do readAssignment(grammar, statement)
  while (cursor.sign(','))
}

/** MariaDB's `SET STATEMENT name = value, ... FOR`: what follows runs under it, so it must be told before. */
export function readStatementSettings(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  do {
    const name = cursor.name().toLowerCase()
    cursor.needSign('=')
    readValue(grammar, statement, name)
  } while (cursor.sign(','))
  cursor.needWord('FOR')
  if (statement.unsettles === true) statement.refusal = pinnedReason
}

function readAssignment(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  if (cursor.isWord('PASSWORD', 'ROLE')) return readAccount(cursor, statement)
  if (cursor.isWord('NAMES', 'CHARACTER', 'CHARSET')) return readNames(cursor, statement)
  if (cursor.isWord('TRANSACTION') || (cursor.isWord('SESSION', 'LOCAL', 'GLOBAL') && cursor.isWordAhead(1, 'TRANSACTION'))) {
    if (cursor.isWord('GLOBAL')) statement.done.push({ access: 'admin', verb: 'set', object: undefined })
    return readTransactionSettings(cursor)
  }
  const { scope, name } = readTarget(cursor)
  if (!cursor.sign('=', ':=')) cursor.fail()
  if (scope === 'global') statement.done.push({ access: 'admin', verb: 'set', object: undefined })
  readValue(grammar, statement, scope === 'user' ? '' : name)
}

function readValue(grammar: Grammar, statement: Statement, name: string): void {
  const { cursor } = grammar
  const start = cursor.at
  if (!cursor.word('ON', 'ALL', 'BINARY', 'ROW', 'SYSTEM')) grammar.expression(statement.root)
  const value = cursor.tokens.slice(start, cursor.at)
  if (name === 'sql_mode') judgeSqlMode(value, statement)
  else if (pinned.has(name)) judgeCharset(value, statement)
}

/** What follows a comma may be a setting again (MariaDB), which must not go unread. */
function readAccount(cursor: Cursor, statement: Statement): void {
  const from = cursor.at
  readAdministration(cursor, statement, 'set')
  const isComma = (token: Token): boolean => token.kind === 'operator' && token.value === ','
  if (cursor.tokens.slice(from, cursor.at).some(isComma)) cursor.fail()
}

const transactionWords = [
  'SESSION', 'LOCAL', 'GLOBAL', 'TRANSACTION', 'ISOLATION', 'LEVEL', 'READ', 'WRITE', 'ONLY', 'COMMITTED', 'UNCOMMITTED', 'REPEATABLE',
  'SERIALIZABLE',
] // prettier-ignore

function readTransactionSettings(cursor: Cursor): void {
  while (!cursor.atEnd) if (!cursor.sign(',')) cursor.needWord(...transactionWords)
}

function readTarget(cursor: Cursor): { readonly scope: 'global' | 'session' | 'user'; readonly name: string } {
  const global = cursor.isWord('GLOBAL', 'PERSIST', 'PERSIST_ONLY')
  if ((global || cursor.isWord('SESSION', 'LOCAL')) && !cursor.isSignAhead(1, '=')) cursor.at += 1
  const { token } = cursor
  if (token?.kind !== 'variable') {
    const parts = [cursor.name()]
    while (cursor.sign('.')) parts.push(cursor.nameAfterDot())
    return { scope: global ? 'global' : 'session', name: (parts[parts.length - 1] as string).toLowerCase() }
  }
  cursor.at += 1
  if (!token.value.startsWith('@@')) return { scope: 'user', name: token.value }
  const [, scope = '', name = ''] = /^@@(?:(global|persist|persist_only|session|local)\.)?(.*)$/.exec(token.value) ?? []
  return { scope: scope === '' || scope === 'session' || scope === 'local' ? 'session' : 'global', name }
}

const isDefault = ({ kind, value }: Token): boolean => kind === 'word' && value === 'DEFAULT'
const isLiteral = (token: Token): boolean =>
  ['word', 'string', 'number', 'literal', 'quoted'].includes(token.kind) && !isDefault(token)
const isMode = (mode: string): boolean => mode.trim() === '' || allowedSqlModes.has(mode.trim().toUpperCase())

/** `'MODE,MODE'`, `MODE`, the mode as it is, and these in CONCAT are told by looking; what else there is only by running it. */
function judgeSqlMode(value: readonly Token[], statement: Statement): void {
  const known = (token: Token): boolean =>
    (token.kind === 'string' && token.value.split(',').every(isMode)) ||
    (token.kind === 'variable' && /^@@((session|local)\.)?sql_mode$/.test(token.value)) ||
    (token.kind === 'word' && (token.value === 'CONCAT' || allowedSqlModes.has(token.value))) ||
    (token.kind === 'operator' && '(),'.includes(token.value))
  if (value.every(known)) return
  const told =
    value.length === 1 ? isLiteral : (token: Token): boolean => known(token) || ['string', 'number', 'literal'].includes(token.kind)
  if (value.every(told)) statement.refusal = pinnedReason
  else statement.unsettles = true
}

function judgeCharset(value: readonly Token[], statement: Statement): void {
  const [token] = value
  if (
    token === undefined ||
    value.length > 1 ||
    (token.kind === 'variable' && !isItself.test(token.value)) ||
    token.kind === 'parameter' ||
    isDefault(token)
  )
    statement.unsettles = true
  else if (token.kind !== 'variable' && !isUtf8(token)) statement.refusal = pinnedReason
}

const isItself = /^@@((session|local)\.)?(character_set_client|character_set_connection|collation_connection)$/
const isUtf8 = ({ kind, value }: Token): boolean =>
  (kind === 'word' || kind === 'string') && utf8Names.has(value.toLowerCase().split('_')[0] as string)

/** A name or text, or DEFAULT: no expression can stand here. */
function readNames(cursor: Cursor, statement: Statement): void {
  if (cursor.word('CHARACTER')) cursor.needWord('SET')
  else cursor.at += 1
  judgeCharset([cursor.take()], statement)
  if (cursor.word('COLLATE')) judgeCharset([cursor.take()], statement)
}
