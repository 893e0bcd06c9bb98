// The reader with its real parser threads: remembered, bounded, and whole after whatever it is asked.

import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { parsePostgresCatalog } from './postgres/catalog.js'
import { openSqlReader } from './reader.js'
import type { SqlReader } from './reader.js'

const catalog = parsePostgresCatalog(readFileSync(new URL('./postgres/corpus/catalog.json', import.meta.url), 'utf8'))
const context = Object.freeze({ catalog: 'c', schemas: ['public'], trustedFunctions: [] })

let reader: SqlReader | undefined

function open(): SqlReader {
  reader = openSqlReader({ workers: 1 })
  reader.registerCatalog('c', catalog)
  return reader
}

afterEach(async () => reader?.stop())

describe('understand', () => {
  it('gives the same object at once when asked again, also for an equal context', async () => {
    const sql = open()
    const first = await sql.understand('select ssn from users', context)
    expect(sql.understand('select ssn from users', context)).toBe(first)
    expect(sql.understand('select ssn from users', { ...context })).toBe(first)
    expect(await sql.understand('select ssn from users', { ...context, schemas: ['priv'] })).not.toBe(first)
  })

  it('asks once for all who ask the same', async () => {
    const sql = open()
    const [one, other] = await Promise.all([sql.understand('table users', context), sql.understand('table users', context)])
    expect(one).toBe(other)
  })

  it('forgets what an older catalogue said', async () => {
    const sql = open()
    const before = await sql.understand('table orders', context)
    sql.registerCatalog('c', { ...catalog, relations: [] })
    const after = await sql.understand('table orders', context)
    expect([before.effects[0]?.object, after.effects[0]?.object]).toEqual(['public.orders', '?.orders'])
    sql.forgetCatalog('c')
    const forgotten = await sql.understand('table orders', context)
    expect(forgotten).toMatchObject({ understood: false, effects: [{ access: 'unknown', object: '' }] })
    expect(await sql.understand('table orders', context)).not.toBe(forgotten)
    expect((await sql.mask('select 1', context, [], 's')).kind).toBe('untraceable')
    expect((await sql.understand('table orders', { ...context, catalog: '' })).effects[0]?.object).toBe('?.orders')
  })

  it('takes no text that is spelled as others are remembered for one of them', async () => {
    const sql = open()
    for (const text of ['\u0001select \u0001i0 + \u0001i1', 'select \u0001i0 + 5'])
      expect((await sql.understand(text, context)).understood, text).toBe(false)
    for (const text of ['select 2 + 5', 'select 5 + 5', 'select 2 - 5', 'select 5 - 5'])
      expect(await sql.understand(text, context)).toMatchObject({ understood: true, text })
    for (const text of ['\u0001select \u0001i0 - \u0001i1', 'select \u0001i0 - 5'])
      expect((await sql.understand(text, context)).understood, text).toBe(false)
  })

  it('does not take one number for another where it matters', async () => {
    const sql = open()
    const refusals = []
    for (const value of ['1', '0']) {
      for (const text of [
        `select 1; set standard_conforming_strings = ${value}`,
        `select set_config('standard_conforming_strings', ${value}::text, false)`,
      ]) {
        const { refusal, effects } = await sql.understand(text, context)
        refusals.push(refusal !== undefined || effects.some((effect) => effect.access === 'unknown'))
      }
    }
    expect(refusals).toEqual([false, true, true, true])
  })

  it.each([
    ['too long', `select '${'x'.repeat(1024 * 1024)}'`],
    ['NUL', 'select 1\0; drop table users'],
    ['half a surrogate', "select '\ud800'"],
  ])('does not parse a text that is %s', (_why, text) => {
    expect(open().understand(text, context)).toMatchObject({ understood: false, effects: [{ access: 'unknown' }] })
  })
})

describe('hostile texts', () => {
  const hostile: readonly (readonly [string, string])[] = [
    ['12,000 terms', `select ${'1+'.repeat(12_000)}1`],
    ['300,000 terms', `select ${'1+'.repeat(300_000)}1`],
    ['20,000 unions', Array<string>(20_000).fill('select 1').join(' union ')],
    ['50,000 parentheses', `select ${'('.repeat(50_000)}1${')'.repeat(50_000)}`],
    ['50,000 ORs', `select 1 where ${'true or '.repeat(50_000)}true`],
    ['a long literal', `select '${'x'.repeat(1024 * 1024 - 20)}'`],
    ['many rows', `insert into users (id) values ${Array<string>(150_000).fill('(1)').join(',')}`],
    ['deep arrays', `select ${'array['.repeat(20_000)}1${']'.repeat(20_000)}`],
    ['deep sub-queries', `${'select * from ('.repeat(5000)}select 1${') x'.repeat(5000)}`],
    ['deep NOTs', `select ${'not '.repeat(100_000)}true`],
    ['an open quote', `select '${"''".repeat(100_000)}`],
    ['an open comment', `select ${'/*'.repeat(100_000)}`],
    ['control characters', 'select \u0001\u0002\u007f'],
  ]

  it('are answered, never by a rejection, and harm nobody', { timeout: 120_000 }, async () => {
    const sql = open()
    for (const [, text] of hostile) {
      const [answer, beside] = await Promise.all([sql.understand(text, context), sql.understand('select id from orders', context)])
      expect(Array.isArray(answer.effects)).toBe(true)
      if (!answer.understood) expect(answer.effects).toMatchObject([{ access: 'unknown' }])
      expect(beside.effects).toMatchObject([{ object: 'public.orders' }])
      expect(sql.understand(text, context)).toBe(answer)
    }
    expect((await sql.understand('select name from users', context)).effects).toMatchObject([{ object: 'public.users' }])
  })

  it('are refused, not kept waiting, when too many ask', async () => {
    const sql = open()
    const asked = Array.from({ length: 3000 }, async (_, at) => sql.understand(`select 'text ${at}'`, context))
    const answers = await Promise.all(asked)
    expect(answers.some((answer) => answer.understood)).toBe(true)
    expect(answers.some((answer) => !answer.understood)).toBe(true)
    expect((await sql.understand("select 'text 2999'", context)).understood).toBe(true)
  })

  it('has no answer after stop, and does not reject', async () => {
    const sql = open()
    await sql.stop()
    expect((await sql.understand('select 2', context)).understood).toBe(false)
    expect((await sql.mask('select 2', context, [], 's')).kind).toBe('untraceable')
  })
})
