// Which texts are alike but for their values, and which must not be taken for each other.

import { describe, expect, it } from 'vitest'
import { MysqlCatalog } from './catalog.js'
import { literalless } from './literalless.js'
import { openMysqlReader } from './reader.js'
import type { MysqlContext, MysqlUnderstanding } from './understand.js'

const columns = ['id', 'name', 'ssn'].map((name) => ['shop', 'users', name, 'varchar', 'varchar(40)'])
const catalog = new MysqlCatalog(columns, [], [])
const context: MysqlContext = { catalog, database: 'shop', temporaries: new Set(), trustedFunctions: [] }

describe('texts', () => {
  it.each([
    ['select id from users where id = 5', 'select id from users where id = 77'],
    ["update users set name = 'a' where id = 1", "update users set name = 'bcd' where id = 2"],
    ["insert into users values (1, 'a', 'b')", "insert into users values (2, 'c', 'd')"],
    ['select id from users where name in (\'a\', "b")', 'select id from users where name in (\'c\', "d")'],
  ])('%s and %s are alike', (one, other) => {
    expect(literalless(one)).toBe(literalless(other))
    expect(literalless(one)).not.toBe(one)
  })

  it.each([
    ['select id from users where 1 = 1', 'select id from users where 1 = 2'],
    ["select id 'a' from users", "select id 'b' from users"],
    ["select id as 'a' from users", "select id as 'b' from users"],
    ["select id from users where name = 'a' or name = 'a'", "select id from users where name = 'a' or name = 'b'"],
    ['select 1, id from users', 'select 1.5, id from users'],
    ["delete from users where name like 'b' = 'b'", "delete from users where name like 'b' = 'a'"],
  ])('%s and %s are not', (one, other) => expect(literalless(one)).not.toBe(literalless(other)))

  it.each([
    "set @a = '5'",
    "prepare p from 'select 1'",
    'select 1 -- 2',
    'select 1 /* 2 */',
    'select 1 # 2',
    'select 1; select 2',
    "select n'x'",
    "select x'41'",
    'select 0x41',
    'select 1e5',
    'select 01',
    'select @1',
    "select @'a'",
    "select 'open",
    "select 'a\\",
    "delete from users where id = 'b' = '\\a'",
    "select id from users where name = 'a''b'",
    'select `open',
    'select $1',
    'select \\1',
    'select \u0001i0 from users',
    "select 'a\0b'",
    'call pay(5)',
    `select 1${', 2'.repeat(20_000)}`,
  ])('nothing is said of %s', (text) => expect(literalless(text)).toBeUndefined())
})

describe('the reader', () => {
  const understand = async (text: string): Promise<MysqlUnderstanding> => {
    const reader = openMysqlReader()
    try {
      return await reader.understand(text, context)
    } finally {
      await reader.stop()
    }
  }

  it('knows a text by another with other values, shows its own, and covers what may be a password', async () => {
    const reader = openMysqlReader()
    const first = await reader.understand("update users set name = 'a' where id = 1", context)
    const second = await reader.understand("update users set name = 'b' where id = 2", { ...context })
    expect(second.effects).toBe(first.effects)
    expect(second.text).toBe("update users set name = 'b' where id = 2")
    const secret = await reader.understand("update users set name = 'password=x' where id = 2", context)
    expect(secret.text).not.toContain('password=x')
    await reader.stop()
  })

  it('reads a long text in its thread, to the same end', async () => {
    const short = await understand("insert into users values (1, 'a', 'b')")
    const long = await understand(`insert into users values ${"(1, 'a', 'b'),".repeat(2_000)}(1, 'a', 'b')`)
    expect(long.effects).toEqual(short.effects)
    expect(long.understood).toBe(true)
  })

  it('masks a long text in its thread', async () => {
    const reader = openMysqlReader()
    const text = `select ssn from users where id in (${'1,'.repeat(2_000)}1)`
    const found = await reader.mask(text, context, [{ column: 'shop.users.ssn', with: 'null', rule: 'r' }], '')
    expect(found.kind).toBe('rewritten')
    await reader.stop()
  })

  it('takes no text that is spelled as others are remembered for one of them', async () => {
    const reader = openMysqlReader()
    expect((await reader.understand('\u0001select id from users where id = \u0001i0', context)).understood).toBe(false)
    for (const text of ['select id from users where id = 5', 'select name from users where id = 5'])
      expect(await reader.understand(text, context)).toMatchObject({ understood: true, text })
    expect((await reader.understand('\u0001select name from users where id = \u0001i0', context)).understood).toBe(false)
    await reader.stop()
  })

  it('takes a comparison of a comparison for no bound, whatever is remembered', async () => {
    const reader = openMysqlReader()
    const bounded: unknown[] = []
    for (const [one, other] of [
      ["= 'b' = '\\a'", "= 'a' = '\\a'"],
      ["like 'b' = 'a'", "like 'b' = 'b'"],
      ['= 5 = 0', '= 5 is not true'],
    ]) {
      for (const end of [one, other]) {
        const { effects } = await reader.understand(`delete from users where id ${end}`, context)
        bounded.push(effects.find(({ access }) => access === 'write')?.bounded)
      }
    }
    expect(bounded).toEqual([false, false, false, false, false, false])
    const { effects } = await reader.understand(`delete from users where id + 1 = 5 and name like 'b'`, context)
    expect(effects.find(({ access }) => access === 'write')?.bounded).toBe(true)
    await reader.stop()
  })

  it('masks by the catalogue it was asked about, however many others come while it waits', async () => {
    const reader = openMysqlReader()
    const text = `select ssn from users where id in (${'1,'.repeat(600)}1)`
    const masks = [{ column: 'shop.users.ssn', with: 'null' as const, rule: 'r' }]
    const waiting = reader.mask(text, context, masks, '')
    const others = Array.from({ length: 65 }, (_, at) => {
      const grown = [...columns, ['shop', `more${at}`, 'id', 'int', 'int(11)']]
      return { ...context, catalog: new MysqlCatalog(grown, [], []) }
    })
    const beside = others.map(async (other, at) => reader.mask(`${text} and ${at}`, other, masks, ''))
    expect((await waiting).kind).toBe('rewritten')
    expect(new Set((await Promise.all(beside)).map(({ kind }) => kind))).toEqual(new Set(['rewritten']))
    // And in turns: each is registered again as soon as it is asked about.
    for (const [at, other] of [context, ...others].entries())
      expect((await reader.mask(`${text} or ${at}`, other, masks, '')).kind).toBe('rewritten')
    await reader.stop()
  }, 20_000)

  it('lets nobody wait for a text that was made to take long', async () => {
    const reader = openMysqlReader()
    const hostile = reader.understand(`select ${'x.*,'.repeat(200_000)}1 from ${'users x,'.repeat(50)}users x`, context)
    const began = performance.now()
    await reader.understand('select id from users', context)
    expect(performance.now() - began).toBeLessThan(200)
    expect((await hostile).effects.length).toBeGreaterThan(0)
    await reader.stop()
  }, 20_000)

  it('takes no long time for any short text', async () => {
    const shapes = [
      '1,',
      'id,',
      '*,',
      '(select id from users),',
      "'a',",
      '@a := 1,',
      'not ',
      '- ',
      '(',
      'case when 1 then ',
      'id = id or ',
    ]
    for (const shape of shapes) {
      const text = `select ${shape.repeat(2_000 / shape.length)}1 from users`
      const began = performance.now()
      await understand(text)
      expect(performance.now() - began, shape).toBeLessThan(250)
    }
  })
})
