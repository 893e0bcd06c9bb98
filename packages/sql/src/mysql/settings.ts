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
  if (cursor.isWord('STATEMENT')) cursor.fail()
  do readAssignment(grammar, statement)
  while (cursor.sign(','))
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
  if (scope === 'user') return void grammar.expression(statement.root)
  if (name === 'sql_mode') return readSqlMode(cursor, statement)
  if (pinned.has(name)) return readCharset(cursor, statement)
  if (cursor.word('ON', 'ALL', 'BINARY', 'ROW', 'SYSTEM')) return
  grammar.expression(statement.root)
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

/** A literal, `CONCAT(@@sql_mode, ',MODE')`, or the mode as it is; nothing that could only be told by running it. */
function readSqlMode(cursor: Cursor, statement: Statement): void {
  const start = cursor.at
  while (!cursor.atEnd) {
    if (cursor.isSign(',') && !insideCall(cursor, start)) break
    const token = cursor.take()
    const known =
      (token.kind === 'string' &&
        token.value.split(',').every((mode) => mode.trim() === '' || allowedSqlModes.has(mode.trim().toUpperCase()))) ||
      (token.kind === 'variable' && /^@@((session|local)\.)?sql_mode$/.test(token.value)) ||
      (token.kind === 'word' && (token.value === 'CONCAT' || allowedSqlModes.has(token.value))) ||
      (token.kind === 'operator' && '(),'.includes(token.value))
    if (!known) statement.refusal = pinnedReason
  }
}

function insideCall(cursor: Cursor, start: number): boolean {
  let depth = 0
  for (const token of cursor.tokens.slice(start, cursor.at)) {
    if (token.kind !== 'operator') continue
    if (token.value === '(') depth += 1
    if (token.value === ')') depth -= 1
  }
  return depth > 0
}

function readCharset(cursor: Cursor, statement: Statement): void {
  const token = cursor.take()
  const name = token.value.toLowerCase()
  const isUtf8 = (token.kind === 'word' || token.kind === 'string') && utf8Names.has(name.split('_')[0] as string)
  const isItself =
    token.kind === 'variable' &&
    /^@@((session|local)\.)?(character_set_client|character_set_connection|collation_connection)$/.test(token.value)
  if (!isUtf8 && !isItself) statement.refusal = pinnedReason
}

function readNames(cursor: Cursor, statement: Statement): void {
  if (cursor.word('CHARACTER')) cursor.needWord('SET')
  else cursor.at += 1
  readCharset(cursor, statement)
  if (cursor.word('COLLATE')) readCharset(cursor, statement)
}
