// Schema, accounts and upkeep: what is made, changed and dropped. What could move or show rows in ways that cannot be followed counts them as read
// whole; what brings code of its own is unknown.

import type { Cursor } from './cursor.js'
import type { Grammar } from './grammar.js'
import { readQuery } from './queries.js'
import type { TableName } from './reading.js'
import type { Statement } from './statement.js'
import { queryInParentheses } from './writes.js'

/** Engines that keep rows of their own in this server. */
const plainEngines = new Set(['INNODB', 'MYISAM', 'ARIA', 'MEMORY', 'HEAP', 'CSV', 'ARCHIVE', 'BLACKHOLE', 'ROCKSDB'])
/** Words in a table's definition that reach outside it. */
const reachingWords = new Set([
  'UNION',
  'CONNECTION',
  'EXCHANGE',
  'TABLESPACE',
  'DIRECTORY',
  'IMPORT',
  'DISCARD',
  'SELECT',
  'WITH_SYSTEM',
  'CONVERT',
])

export function readDefinition(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  if (cursor.word('CREATE')) return readCreate(grammar, statement)
  if (cursor.word('DROP')) return readDrop(cursor, statement)
  if (cursor.word('ALTER')) return readAlter(cursor, statement)
  if (cursor.word('RENAME')) return readRename(cursor, statement)
  cursor.needWord('TRUNCATE')
  cursor.word('TABLE')
  statement.done.push({ access: 'write', verb: 'truncate', object: tableName(cursor) })
  statement.changesCatalog = true
  cursor.word('WAIT', 'NOWAIT')
}

export function tableName(cursor: Cursor): TableName {
  const first = cursor.isSignAhead(1, '.') ? cursor.nameAfterDot() : cursor.name()
  return cursor.sign('.') ? { database: first, name: cursor.nameAfterDot() } : { database: undefined, name: first }
}

function ifExists(cursor: Cursor): void {
  if (!cursor.word('IF')) return
  cursor.word('NOT')
  cursor.needWord('EXISTS')
}

function readCreate(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  statement.changesCatalog = true
  if (cursor.word('OR')) cursor.needWord('REPLACE')
  const temporary = cursor.word('TEMPORARY')
  if (cursor.word('TABLE')) return readCreateTable(grammar, statement, temporary)
  if (temporary) return cursor.fail()
  if (cursor.word('DATABASE', 'SCHEMA')) {
    ifExists(cursor)
    statement.done.push({ access: 'schema', verb: 'create', object: `${cursor.name()}.*` })
    return skipRest(cursor)
  }
  if (cursor.word('UNIQUE', 'FULLTEXT', 'SPATIAL') || cursor.isWord('INDEX')) return readCreateIndex(cursor, statement)
  if (cursor.isWord('USER', 'ROLE', 'SERVER', 'TABLESPACE', 'LOGFILE')) return readAdministration(cursor, statement, 'create')
  skipViewOptions(cursor)
  if (cursor.word('VIEW')) {
    ifExists(cursor)
    statement.done.push({ access: 'schema', verb: 'create', object: tableName(cursor) })
    if (cursor.isSign('(')) cursor.skipParentheses()
    cursor.needWord('AS')
    readQuery(grammar, statement.root)
    if (cursor.word('WITH')) while (cursor.word('CASCADED', 'LOCAL', 'CHECK', 'OPTION'));
    return
  }
  return readCreateCode(cursor, statement)
}

function skipViewOptions(cursor: Cursor): void {
  for (;;) {
    if (cursor.word('ALGORITHM')) {
      cursor.needSign('=')
      cursor.needWord('UNDEFINED', 'MERGE', 'TEMPTABLE')
    } else if (cursor.word('DEFINER')) {
      cursor.needSign('=')
      account(cursor)
    } else if (cursor.words('SQL', 'SECURITY')) cursor.needWord('DEFINER', 'INVOKER')
    else return
  }
}

function account(cursor: Cursor): void {
  if (cursor.word('CURRENT_USER', 'CURRENT_ROLE')) {
    if (cursor.isSign('(')) cursor.skipParentheses()
    return
  }
  if (cursor.token?.kind === 'string') cursor.at += 1
  else cursor.name()
  const { token } = cursor
  if (token?.kind === 'variable' && !token.value.startsWith('@@')) {
    cursor.at += 1
    if (token.value === '@') cursor.take()
  }
}

/** Functions, procedures, triggers and events hold statements that run later, or for others. */
function readCreateCode(cursor: Cursor, statement: Statement): void {
  cursor.word('AGGREGATE')
  const kind = cursor.take()
  if (kind.kind !== 'word' || !['PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'PACKAGE', 'SEQUENCE'].includes(kind.value))
    return cursor.fail()
  cursor.word('BODY')
  ifExists(cursor)
  const object = tableName(cursor)
  statement.done.push({ access: 'schema', verb: 'create', object })
  if (kind.value !== 'SEQUENCE') statement.done.push({ access: 'unknown', verb: 'create', object })
  // The body has semicolons of its own, so a text that makes code holds nothing else.
  cursor.at = cursor.tokens.length
}

function readCreateTable(grammar: Grammar, statement: Statement, temporary: boolean): void {
  const { cursor } = grammar
  ifExists(cursor)
  const object = tableName(cursor)
  if (temporary) statement.makesTemporary = object
  statement.done.push({ access: temporary ? 'write' : 'schema', verb: 'create', object })
  if (cursor.word('LIKE')) {
    tableName(cursor)
    return
  }
  if (cursor.isSign('(') && cursor.isWordAhead(1, 'LIKE')) return cursor.skipParentheses()
  if (cursor.isSign('(') && !queryInParentheses(cursor)) reachesOut(cursor, statement, object)
  while (!cursor.atEnd) {
    cursor.word('IGNORE', 'REPLACE')
    cursor.word('AS')
    if (cursor.isWord('SELECT', 'WITH', 'TABLE', 'VALUES') || (cursor.isSign('(') && queryInParentheses(cursor))) {
      readQuery(grammar, statement.root)
      return
    }
    if (!cursor.atEnd) option(cursor, statement, object)
  }
}

/** A parenthesised definition: column types, keys, expressions. */
function reachesOut(cursor: Cursor, statement: Statement, object: TableName): void {
  const start = cursor.at
  cursor.skipParentheses()
  const inside = cursor.tokens.slice(start, cursor.at)
  if (inside.some((token) => token.kind === 'word' && (token.value === 'SELECT' || token.value === 'CONNECTION'))) {
    statement.done.push({ access: 'unknown', verb: 'create', object })
  }
}

function option(cursor: Cursor, statement: Statement, object: TableName): void {
  if (cursor.isSign('(')) return cursor.skipParentheses()
  const token = cursor.take()
  if (token.kind !== 'word') return
  if (token.value === 'ENGINE') {
    cursor.sign('=')
    const engine = cursor.take()
    if (!plainEngines.has(engine.value.toUpperCase())) statement.done.push({ access: 'unknown', verb: 'create', object })
  } else if (reachingWords.has(token.value) && !(token.value === 'CONVERT' && cursor.isWord('TO'))) {
    statement.done.push({ access: 'unknown', verb: 'alter', object })
  }
}

function readCreateIndex(cursor: Cursor, statement: Statement): void {
  cursor.needWord('INDEX')
  ifExists(cursor)
  cursor.name()
  if (cursor.word('USING')) cursor.take()
  cursor.needWord('ON')
  statement.done.push({ access: 'schema', verb: 'create', object: tableName(cursor) })
  skipRest(cursor)
}

function readDrop(cursor: Cursor, statement: Statement): void {
  statement.changesCatalog = true
  const temporary = cursor.word('TEMPORARY')
  if (cursor.word('TABLE', 'TABLES', 'VIEW')) {
    ifExists(cursor)
    do statement.done.push({ access: temporary ? 'write' : 'schema', verb: 'drop', object: tableName(cursor) })
    while (cursor.sign(','))
    cursor.word('RESTRICT', 'CASCADE')
    return
  }
  if (cursor.word('DATABASE', 'SCHEMA')) {
    ifExists(cursor)
    statement.done.push({ access: 'schema', verb: 'drop', object: `${cursor.name()}.*` })
    return
  }
  if (cursor.word('INDEX')) {
    ifExists(cursor)
    cursor.nameAfterDot()
    cursor.needWord('ON')
    statement.done.push({ access: 'schema', verb: 'drop', object: tableName(cursor) })
    return skipRest(cursor)
  }
  if (cursor.word('PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'SEQUENCE', 'PACKAGE')) {
    cursor.word('BODY')
    ifExists(cursor)
    statement.done.push({ access: 'schema', verb: 'drop', object: tableName(cursor) })
    return
  }
  readAdministration(cursor, statement, 'drop')
}

function readAlter(cursor: Cursor, statement: Statement): void {
  statement.changesCatalog = true
  while (cursor.word('ONLINE', 'IGNORE'));
  if (cursor.word('TABLE')) {
    ifExists(cursor)
    const object = tableName(cursor)
    statement.done.push({ access: 'schema', verb: 'alter', object })
    // A column that is renamed, or a table, leaves the rules that name it behind.
    statement.whole.push(object)
    while (!cursor.atEnd) option(cursor, statement, object)
    return
  }
  if (cursor.word('DATABASE', 'SCHEMA')) {
    const named = cursor.isWord('CHARACTER', 'COLLATE', 'DEFAULT', 'CHARSET', 'ENCRYPTION', 'READ') ? '?' : cursor.name()
    statement.done.push({ access: 'schema', verb: 'alter', object: `${named}.*` })
    return skipRest(cursor)
  }
  if (cursor.isWord('USER', 'INSTANCE', 'SERVER', 'TABLESPACE', 'RESOURCE')) return readAdministration(cursor, statement, 'alter')
  skipViewOptions(cursor)
  if (!cursor.isWord('PROCEDURE', 'FUNCTION', 'EVENT', 'VIEW', 'SEQUENCE')) return cursor.fail()
  cursor.at += 1
  ifExists(cursor)
  const object = tableName(cursor)
  statement.done.push({ access: 'schema', verb: 'alter', object }, { access: 'unknown', verb: 'alter', object })
  cursor.at = cursor.tokens.length
}

function readRename(cursor: Cursor, statement: Statement): void {
  if (cursor.isWord('USER')) return readAdministration(cursor, statement, 'rename')
  cursor.needWord('TABLE', 'TABLES')
  ifExists(cursor)
  statement.changesCatalog = true
  do {
    const from = tableName(cursor)
    statement.whole.push(from)
    statement.done.push({ access: 'schema', verb: 'rename', object: from })
    cursor.needWord('TO')
    statement.done.push({ access: 'schema', verb: 'rename', object: tableName(cursor) })
  } while (cursor.sign(','))
}

/** Accounts, privileges, the server itself: no object of a database, often with a password. */
export function readAdministration(cursor: Cursor, statement: Statement, verb: string): void {
  statement.done.push({ access: 'admin', verb, object: undefined })
  statement.holdsSecret = true
  skipRest(cursor)
}

export function skipRest(cursor: Cursor): void {
  while (!cursor.atEnd) cursor.at += 1
}
