// Transactions, those of XA among them, and LOCK TABLES: what they hold together was judged statement by statement.

import type { Cursor } from './cursor.js'
import { skipRest, tableName } from './definitions.js'
import type { Statement } from './statement.js'

export function isTransaction(cursor: Cursor): boolean {
  if (cursor.isWord('BEGIN')) return cursor.ahead(1) === undefined || cursor.isSignAhead(1, ';') || cursor.isWordAhead(1, 'WORK')
  return (
    cursor.isWord('COMMIT', 'ROLLBACK', 'SAVEPOINT', 'RELEASE') || (cursor.isWord('START') && cursor.isWordAhead(1, 'TRANSACTION'))
  )
}

const transactionWords = [
  'TRANSACTION',
  'WORK',
  'AND',
  'NO',
  'CHAIN',
  'RELEASE',
  'WITH',
  'CONSISTENT',
  'SNAPSHOT',
  'READ',
  'ONLY',
  'WRITE',
  'TO',
  'SAVEPOINT',
]

export function readTransaction(cursor: Cursor): void {
  cursor.at += 1
  while (!cursor.atEnd) if (!cursor.sign(',') && !cursor.word(...transactionWords)) cursor.name()
}

export function readLock(cursor: Cursor, statement: Statement): void {
  cursor.needWord('TABLE', 'TABLES')
  do {
    statement.done.push({ access: 'read', verb: 'lock', object: tableName(cursor) })
    cursor.alias(false)
    if (cursor.word('READ')) cursor.word('LOCAL')
    else {
      cursor.word('LOW_PRIORITY')
      cursor.needWord('WRITE')
    }
  } while (cursor.sign(','))
}

/** `XA START 'gtrid' , 'bqual' , 1 JOIN` and what ends it. RECOVER tells of everybody's. */
export function readXa(cursor: Cursor, statement: Statement): void {
  if (cursor.word('RECOVER')) {
    statement.done.push({ access: 'admin', verb: 'recover', object: undefined })
    return skipRest(cursor)
  }
  cursor.needWord('START', 'BEGIN', 'END', 'PREPARE', 'COMMIT', 'ROLLBACK')
  do if (!['string', 'literal', 'number'].includes(cursor.take().kind)) cursor.fail()
  while (cursor.sign(','))
  while (cursor.word('JOIN', 'RESUME', 'SUSPEND', 'FOR', 'MIGRATE', 'ONE', 'PHASE'));
}
