// SHOW. Names and settings are no rows of anyone's; what shows credentials, other sessions' texts or stored values is told apart.

import type { Cursor } from './cursor.js'
import { skipRest } from './definitions.js'
import type { Grammar } from './grammar.js'
import type { Statement } from './statement.js'

/** What follows SHOW [GLOBAL|SESSION|FULL ...], of what touches nothing. */
const harmless = [
  'DATABASES', 'SCHEMAS', 'TABLES', 'COLUMNS', 'FIELDS', 'INDEX', 'INDEXES', 'KEYS', 'STATUS', 'VARIABLES', 'CHARACTER', 'CHARSET', 'COLLATION',
  'ENGINES', 'STORAGE', 'PLUGINS', 'PRIVILEGES', 'TRIGGERS', 'EVENTS', 'OPEN', 'TABLE', 'PROCEDURE', 'FUNCTION', 'PACKAGE',
] // prettier-ignore
const creatable = ['TABLE', 'VIEW', 'DATABASE', 'SCHEMA', 'PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'SEQUENCE']

export function readShow(grammar: Grammar, statement: Statement): void {
  const { cursor } = grammar
  while (cursor.word('GLOBAL', 'SESSION', 'LOCAL', 'FULL', 'EXTENDED'));
  if (cursor.isWord('WARNINGS', 'ERRORS') || (cursor.isWord('COUNT') && cursor.isSignAhead(1, '('))) {
    statement.diagnostics = true
    return skipRest(cursor)
  }
  if (cursor.isWord('CREATE') && cursor.isWordAhead(1, 'USER')) {
    statement.refusal = 'it would show a hash of the stored password of the target'
    return skipRest(cursor)
  }
  if (cursor.word('GRANTS')) return readGrants(grammar, statement)
  if (cursor.isWord('CREATE') && cursor.isWordAhead(1, ...creatable)) {
    cursor.at += 2
    return readTail(cursor, grammar, statement)
  }
  if (cursor.isWord(...harmless)) {
    cursor.at += 1
    return readTail(cursor, grammar, statement)
  }
  // PROCESSLIST, ENGINE ... STATUS, BINLOG EVENTS and all the rest.
  statement.done.push({ access: 'unknown', verb: 'show', object: undefined })
  skipRest(cursor)
}

/** MariaDB, and MySQL before 5.7.6, show the hash of the password among the grants. One's own are no secret, those of others are not one's own. */
function readGrants({ cursor, server }: Grammar, statement: Statement): void {
  if (server === undefined || server.isMariadb || server.number < 50_706)
    statement.refusal =
      'SHOW GRANTS would show a hash of the stored password of the target; USER_PRIVILEGES, SCHEMA_PRIVILEGES, TABLE_PRIVILEGES and COLUMN_PRIVILEGES in information_schema tell the same without it'
  if (cursor.words('FOR', 'CURRENT_USER')) {
    if (cursor.isSign('(')) cursor.skipParentheses()
  } else if (!cursor.atEnd) statement.done.push({ access: 'unknown', verb: 'show', object: undefined })
  skipRest(cursor)
}

function readTail(cursor: Cursor, grammar: Grammar, statement: Statement): void {
  while (!cursor.atEnd) {
    if (cursor.word('WHERE')) grammar.expression(statement.root)
    else if (cursor.take().value === 'SELECT') cursor.fail()
  }
}
