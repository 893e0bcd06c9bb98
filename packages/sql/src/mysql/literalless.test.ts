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
    ["select 'a''b' = 'a\\'b'", "select 'x' = 'y'"],
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
