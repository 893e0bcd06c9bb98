// A text to its statements. Whatever begins with an unknown word, or goes on in an unknown way, is not understood.

import { Cursor, NotUnderstood } from './cursor.js'
import { readAdministration, readDefinition, skipRest, tableName } from './definitions.js'
import { readExpression } from './expressions.js'
import type { Grammar } from './grammar.js'
import type { Token } from './lexer.js'
import { readCommon, readQuery } from './queries.js'
import { Reading } from './reading.js'
import type { Block } from './reading.js'
import { readCall, readHandler, readPrepared } from './running.js'
import type { ServerVersion } from './server-version.js'
import { readSet, readStatementSettings } from './settings.js'
import { readShow } from './show.js'
import type { Statement } from './statement.js'
import { isTransaction, readLock, readTransaction, readXa } from './transactions.js'
import { assignments, readWrite } from './writes.js'

const maxStatements = 1_000
const administration = [
  'GRANT',
  'REVOKE',
  'FLUSH',
  'RESET',
  'PURGE',
  'CHANGE',
  'INSTALL',
  'UNINSTALL',
  'SHUTDOWN',
  'RESTART',
  'CLONE',
  'CACHE',
  'STOP',
  'BACKUP',
]

/** Throws NotUnderstood. */
export function parse(tokens: readonly Token[], server?: ServerVersion): Statement[] {
  const cursor = new Cursor(tokens)
  const statements: Statement[] = []
  while (cursor.at < tokens.length) {
    if (cursor.sign(';')) continue
    if (statements.length >= maxStatements) throw new NotUnderstood('too many statements in one text')
    statements.push(parseOne(cursor, server))
    if (cursor.at < tokens.length && !cursor.isSign(';')) cursor.fail()
  }
  return statements
}

function parseOne(cursor: Cursor, server: ServerVersion | undefined): Statement {
  const reading = new Reading()
  const root = reading.block(undefined, cursor.at)
  const grammar: Grammar = {
    cursor,
    reading,
    server,
    common: [],
    query: (parent: Block | undefined) => readQuery(grammar, parent),
    expression: (block: Block) => readExpression(grammar, block),
  }
  const made = (kind: Statement['kind']): Statement => ({
    kind,
    reading,
    root,
    start: cursor.at,
    end: 0,
    written: [],
    done: [],
    whole: [],
  })
  const statement = begin(grammar, made)
  statement.end = cursor.at
  return statement
}

type Make = (kind: Statement['kind']) => Statement

function begin(grammar: Grammar, made: Make): Statement {
  const { cursor } = grammar
  if (
    cursor.isWord('EXPLAIN', 'DESCRIBE', 'DESC') ||
    (cursor.isWord('ANALYZE') && !cursor.isWordAhead(1, 'TABLE', 'LOCAL', 'NO_WRITE_TO_BINLOG'))
  ) {
    return readExplain(grammar, made)
  }
  if (cursor.isWord('WITH')) return readWith(grammar, made)
  if (cursor.words('SET', 'STATEMENT')) return readSetStatement(grammar, made)
  if (cursor.isWord('SELECT', 'VALUES', 'TABLE') || cursor.isSign('(')) {
    const statement = made('query')
    readQuery(grammar, undefined)
    return statement
  }
  if (cursor.isWord('INSERT', 'REPLACE', 'UPDATE', 'DELETE')) {
    const statement = made('write')
    readWrite(grammar, statement)
    return statement
  }
  return readOther(grammar, made('other'))
}

/** WITH before SELECT belongs to the query; before UPDATE and DELETE to the statement. */
function readWith(grammar: Grammar, made: Make): Statement {
  const { cursor } = grammar
  const [write, query] = [made('write'), made('query')]
  readCommon(grammar, write.root)
  if (cursor.isWord('UPDATE', 'DELETE')) {
    readWrite(grammar, write)
    return write
  }
  readQuery(grammar, undefined)
  return query
}

function readSetStatement(grammar: Grammar, made: Make): Statement {
  const settings = made('other')
  readStatementSettings(grammar, settings)
  if (grammar.cursor.isWord('SET')) grammar.cursor.fail()
  const statement = begin(grammar, made)
  if (settings.refusal !== undefined) statement.refusal = settings.refusal
  return statement
}

function readExplain(grammar: Grammar, made: Make): Statement {
  const { cursor } = grammar
  const describes = !cursor.isWord('ANALYZE')
  cursor.at += 1
  if (describes && !cursor.isWord(...explainable) && !cursor.isSign('(')) {
    const statement = made('other')
    if (cursor.words('FOR', 'CONNECTION')) cursor.fail()
    statement.done.push({ access: 'read', verb: 'describe', object: tableName(cursor) })
    if (!cursor.atEnd) cursor.take()
    return statement
  }
  while (cursor.word('EXTENDED', 'PARTITIONS', 'ANALYZE', 'VERBOSE') || cursor.isWord('FORMAT')) {
    if (!cursor.word('FORMAT')) continue
    cursor.needSign('=')
    cursor.take()
  }
  if (!cursor.isWord('SELECT', 'WITH', 'TABLE', 'VALUES', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE') && !cursor.isSign('('))
    return cursor.fail()
  const statement = begin(grammar, made)
  statement.explains = true
  return statement
}

const explainable = [
  'SELECT',
  'WITH',
  'TABLE',
  'VALUES',
  'INSERT',
  'REPLACE',
  'UPDATE',
  'DELETE',
  'EXTENDED',
  'PARTITIONS',
  'ANALYZE',
  'FORMAT',
  'FOR',
]

function readOther(grammar: Grammar, statement: Statement): Statement {
  const { cursor } = grammar
  if (cursor.isWord('CREATE', 'DROP', 'ALTER', 'RENAME', 'TRUNCATE')) readDefinition(grammar, statement)
  else if (cursor.isWord('SET')) readSet(grammar, statement)
  else if (cursor.word('SHOW')) readShow(grammar, statement)
  else if (isTransaction(cursor)) readTransaction(cursor)
  else if (cursor.word('XA')) readXa(cursor, statement)
  else if (cursor.word('USE')) statement.use = cursor.name()
  else if (cursor.word('DO')) {
    do grammar.expression(statement.root)
    while (cursor.sign(','))
  } else if (cursor.isWord('PREPARE', 'EXECUTE', 'DEALLOCATE') || (cursor.isWord('DROP') && cursor.isWordAhead(1, 'PREPARE')))
    readPrepared(grammar, statement)
  else if (cursor.word('CALL')) readCall(grammar, statement)
  else if (cursor.word('HANDLER')) readHandler(grammar, statement)
  else if (cursor.word('KILL')) readKill(cursor, statement)
  else if (cursor.word('LOCK')) readLock(cursor, statement)
  else if (cursor.word('UNLOCK')) cursor.needWord('TABLE', 'TABLES')
  else if (cursor.word('LOAD')) readLoad(grammar, statement)
  else if (cursor.isWord('ANALYZE', 'OPTIMIZE', 'CHECK', 'REPAIR')) readUpkeep(cursor, statement)
  else if (cursor.isWord('GET')) {
    // GET DIAGNOSTICS repeats the texts of errors.
    statement.diagnostics = true
    skipRest(cursor)
  } else if (cursor.isWord(...administration) || (cursor.isWord('START') && !cursor.isWordAhead(1, 'TRANSACTION'))) {
    readAdministration(cursor, statement, cursor.take().value.toLowerCase())
  } else cursor.fail()
  return statement
}

function readKill(cursor: Cursor, statement: Statement): void {
  cursor.word('HARD', 'SOFT')
  const what = cursor.word('QUERY') ? 'query' : 'connection'
  if (what === 'connection') cursor.word('CONNECTION')
  const id = cursor.take()
  if (id.kind !== 'number' || !/^\d{1,15}$/.test(id.value)) return cursor.fail()
  statement.kills = { id: Number(id.value), what }
}

/** A file of the client is never sent; a file of the server is its administrator's. */
function readLoad(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  cursor.needWord('DATA', 'XML')
  while (cursor.word('LOW_PRIORITY', 'CONCURRENT'));
  if (cursor.word('LOCAL')) statement.refusal = 'LOAD DATA LOCAL would send a file of the client; load it with INSERT'
  cursor.needWord('INFILE')
  if (cursor.take().kind !== 'string') cursor.fail()
  cursor.word('REPLACE', 'IGNORE')
  cursor.needWord('INTO')
  cursor.needWord('TABLE')
  const object = tableName(cursor)
  statement.done.push({ access: 'admin', verb: 'load', object }, { access: 'write', verb: 'insert', object })
  while (!cursor.atEnd) {
    if (cursor.words('CHARACTER', 'SET')) cursor.take()
    else if (cursor.word('SET')) assignments(grammar, statement.root)
    else cursor.take()
  }
}

function readUpkeep(cursor: Cursor, statement: Statement): void {
  const verb = cursor.take().value.toLowerCase()
  cursor.word('NO_WRITE_TO_BINLOG', 'LOCAL')
  cursor.needWord('TABLE', 'TABLES')
  do statement.done.push({ access: 'schema', verb, object: tableName(cursor) })
  while (cursor.sign(','))
  skipRest(cursor)
}
