// The pool with both dialects' real threads: a question is answered by the catalogue that was registered when it was asked, and by no other.

import { afterEach, describe, expect, it } from 'vitest'
import type { MysqlCatalogRows } from './mysql/catalog.js'
import type { MysqlAnswer, MysqlQuestion } from './mysql/questions.js'
import { Pool } from './pool.js'
import { emptyCatalog } from './postgres/catalog.js'
import type { PostgresCatalog } from './postgres/catalog.js'
import type { Answer, Question } from './questions.js'

const limits = { workers: 1, waiting: 64, answerWithinMs: 10_000, startWithinMs: 20_000 }
const rows: MysqlCatalogRows = {
  columns: [['shop', 'users', 'ssn', 'varchar', 'varchar(11)']],
  views: [],
  functions: [],
  version: '',
}
const masks = [{ column: 'shop.users.ssn', with: 'null' as const, rule: 'r' }]
const context = { catalog: '1', database: 'shop', temporaries: [], trustedFunctions: [] }
const mask: MysqlQuestion = { kind: 'mask', text: 'select ssn from users', context, masks, salt: '' }

const open: { stop(): Promise<void> }[] = []
function mysqlPool(): Pool<MysqlQuestion, MysqlAnswer, MysqlCatalogRows> {
  const pool = new Pool<MysqlQuestion, MysqlAnswer, MysqlCatalogRows>('mysql/worker.js', limits, () => undefined)
  open.push(pool)
  return pool
}

afterEach(async () => {
  for (const pool of open.splice(0)) await pool.stop()
})

describe('a catalogue', () => {
  it('that a thread does not have is never taken for an empty one', async () => {
    const mysql = mysqlPool()
    expect(await mysql.ask(mask)).toEqual({ kind: 'no-catalog' })
    expect(await mysql.ask({ kind: 'understand', text: 'select 1', context })).toEqual({ kind: 'no-catalog' })
    const postgres = new Pool<Question, Answer, PostgresCatalog>('worker.js', limits, () => undefined)
    open.push(postgres)
    const lost = { catalog: 'lost', schemas: ['public'], trustedFunctions: [] }
    expect(await postgres.ask({ kind: 'mask', text: 'select 1', context: lost, masks, salt: '' })).toEqual({ kind: 'no-catalog' })
    expect(await postgres.ask({ kind: 'understand', text: 'select 1', context: lost })).toEqual({ kind: 'no-catalog' })
    postgres.registerCatalog('lost', emptyCatalog)
    expect(await postgres.ask({ kind: 'understand', text: 'select 1', context: lost })).toMatchObject({ kind: 'understanding' })
  })

  it('that is forgotten while a question waits answers that question, and none after it', async () => {
    const pool = mysqlPool()
    pool.registerCatalog('1', rows)
    const waiting = [pool.ask(mask), pool.ask(mask)]
    pool.forgetCatalog('1')
    const after = pool.ask(mask)
    for (const one of waiting) expect(await one).toMatchObject({ kind: 'rewriting', rewriting: { kind: 'rewritten' } })
    expect(await after).toEqual({ kind: 'no-catalog' })
    pool.registerCatalog('1', { ...rows, columns: [['shop', 'users', 'id', 'int', 'int(11)']] })
    expect(await pool.ask(mask)).toMatchObject({ rewriting: { kind: 'unchanged' } })
  })
})
