// What texts mean, on a small catalogue: effects by name, what is refused, what counts as not understood, and what the lexer will not read.

import { describe, expect, it } from 'vitest'
import { MysqlCatalog } from './catalog.js'
import { lex, LexFault } from './lexer.js'
import { maskMysql } from './masking.js'
import { understandMysql } from './understand.js'
import type { MysqlContext, MysqlUnderstanding } from './understand.js'

const columns = [
  ['shop', 'users', 'id', 'int', 'int(11)'],
  ['shop', 'users', 'name', 'varchar', 'varchar(40)'],
  ['shop', 'users', 'ssn', 'varchar', 'varchar(11)'],
  ['shop', 'users', 'age', 'int', 'int(10) unsigned'],
  ['shop', 'orders', 'id', 'int', 'int(11)'],
  ['shop', 'orders', 'user_id', 'int', 'int(11)'],
  ['shop', 'orders', 'note', 'text', 'text'],
  ['shop', 'people', 'alias', 'varchar', 'varchar(11)'],
  ['shop', 'people', 'id', 'int', 'int(11)'],
  ['other', 'users', 'x', 'int', 'int(11)'],
]
const views = [['shop', 'people', 'select `shop`.`users`.`ssn` AS `alias`,`shop`.`users`.`id` AS `id` from `shop`.`users`']]
const catalog = new MysqlCatalog(columns, views, [['shop', 'Nvl']])
const context: MysqlContext = { catalog, database: 'shop', temporaries: new Set(['shop.mine']), trustedFunctions: ['shop.total'] }

const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
const meaning = (text: string): MysqlUnderstanding => understandMysql(bytes(text), context)
const short = (text: string): string[] =>
  meaning(text).effects.map(({ access, verb, object, columns: touched, bounded }) =>
    [
      access,
      verb,
      object,
      touched === undefined ? '' : `(${touched.map((each) => each.split('.')[2]).join(' ')})`,
      bounded === undefined ? '' : bounded ? 'bounded' : 'unbounded',
    ]
      .filter((part) => part !== '')
      .join(' '),
  )

describe('effects', () => {
  it.each([
    ['select 1', []],
    ['select name from users', ['read select shop.users (name)']],
    ['select * from users', ['read select shop.users (id name ssn age)']],
    ['select U.SSN from Users u', ['read select shop.users (ssn)']],
    [
      'select count(*) from orders where user_id in (select id from users where age > 5)',
      ['read select shop.orders (user_id id)', 'read select shop.users (id age)'],
    ],
    ['with u as (select ssn as s from users) select s from u', ['read select shop.users (ssn)']],
    ['select x from other.users', ['read select other.users (x)']],
    ['select alias from people', ['read select shop.people (alias)', 'read select shop.users (ssn)']],
    ['select id from people', ['read select shop.people (id)', 'read select shop.users (id)']],
    ['insert into orders (id, note) values (1, 2)', ['write insert shop.orders (id note)']],
    [
      'insert into orders select id, age, ssn from users',
      ['read select shop.users (id age ssn)', 'write insert shop.orders (id user_id note)'],
    ],
    [
      'insert into users (id, ssn) values (1, 2) on duplicate key update ssn = values(ssn)',
      ['write update shop.users (ssn) bounded', 'write insert shop.users (id ssn)'],
    ],
    ['update orders set note = 1', ['write update shop.orders (note) unbounded']],
    ['update orders set note = 1 where id = 5', ['read select shop.orders (id)', 'write update shop.orders (note) bounded']],
    [
      'update orders set note = 1 where 1 = 1 or id = 5',
      ['read select shop.orders (id)', 'write update shop.orders (note) unbounded'],
    ],
    ['update orders set note = 1 where id = id', ['read select shop.orders (id)', 'write update shop.orders (note) unbounded']],
    [
      'update orders set note = 1 where id between 1 and 2 and 1',
      ['read select shop.orders (id)', 'write update shop.orders (note) bounded'],
    ],
    ['delete from orders', ['write delete shop.orders unbounded']],
    [
      'delete o from orders o join users u on u.id = o.user_id where u.age > 3',
      ['read select shop.orders (user_id)', 'read select shop.users (id age)', 'write delete shop.orders bounded'],
    ],
    ['truncate table orders', ['write truncate shop.orders']],
    ['drop table users, orders', ['schema drop shop.users', 'schema drop shop.orders']],
    ['select nothing()', ['unknown call shop.nothing']],
    ['select total(1), other.thing()', ['unknown call other.thing']],
    ['select nvl(1, 2), now()', ['unknown call shop.nvl']],
    ['update orders set note = 1 where (select 1)', ['write update shop.orders (note) unbounded']],
    ['call pay(1)', ['unknown call shop.pay']],
    ['select * from absent', ['unknown select shop.absent']],
    ['select * from mine', ['read select shop.mine']],
    ['select user from mysql.user', ['unknown select mysql.user']],
    ['select table_name from information_schema.tables', ['read select information_schema.tables']],
    ['select * from information_schema.processlist', ['unknown select information_schema.processlist']],
    ["prepare p from 'delete from orders'", ['write delete shop.orders unbounded']],
    ['prepare p from @text', ['unknown query']],
    ["execute immediate 'drop table users'", ['schema drop shop.users']],
    [
      'create table c (a int) engine=merge union=(users)',
      ['schema create shop.c', 'unknown create shop.c', 'unknown alter shop.c'],
    ],
    ["grant all on *.* to x identified by 'secret'", ['admin grant']],
    ['set global max_connections = 5', ['admin set']],
    ['begin', []],
    ['show tables', []],
    ['show processlist', ['unknown show']],
    ['create procedure p() again: loop leave again; end loop', ['schema create shop.p', 'unknown create shop.p']],
    ['', []],
  ])('%s', (text, expected) => expect(short(text)).toEqual(expected))

  it('are those of what was understood only: any other shape is unknown', () => {
    for (const text of [
      'select',
      'select from users',
      'selec 1',
      'select 1 1 1',
      'select id:name from users',
      'select (1',
      'xa begin',
      'select * from users procedure analyse()',
      "help 'x'",
    ]) {
      expect(meaning(text)).toMatchObject({ understood: false, unsettles: true, effects: [{ access: 'unknown' }] })
    }
  })
})

it('tells tables apart that differ in case alone, as a server may', () => {
  const twins = ['users', 'Users'].map((table) => ['shop', table, table === 'users' ? 'name' : 'ssn', 'varchar', 'varchar(9)'])
  const found = understandMysql(bytes('select * from Users'), { ...context, catalog: new MysqlCatalog(twins, [], []) })
  expect(found.effects).toMatchObject([{ object: 'shop.Users', columns: ['shop.Users.ssn'] }])
})

it('takes any bytes inside strings, shows them by their digits, and none elsewhere', () => {
  const read = (text: string): MysqlUnderstanding => understandMysql(text, context)
  const blob = read("insert into orders (note) values (_binary 'a\xff\\'b')")
  expect(blob).toMatchObject({ isReadable: true, text: "insert into orders (note) values (_binary x'61ff5c2762')" })
  expect(read("select 'a' as `\xff`").isReadable).toBe(false)
  expect(read("prepare p from 'select \xff'").isReadable).toBe(false)
  expect(read("selec '\xff'").isReadable).toBe(false)
})

describe('refusals', () => {
  it.each([
    "set sql_mode = 'ANSI_QUOTES'",
    "set sql_mode = concat(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
    'set names gbk',
    "set names 'big5' collate 'big5_chinese_ci'",
    'set character_set_client = latin1',
    "load data local infile 'x' into table users",
    'show grants',
    'use other; select 1',
    "prepare p from 'set sql_mode = oracle'",
  ])('%s', (text) => expect(meaning(text).refusal).toBeDefined())

  it.each([
    "set sql_mode = ''",
    "set sql_mode = concat(@@sql_mode, ',STRICT_TRANS_TABLES')",
    'set names utf8mb4',
    'set names utf8 collate utf8_general_ci',
    'set character_set_results = null',
  ])('not of %s', (text) => expect(meaning(text)).toMatchObject({ understood: true, effects: [] }))
})

describe('the lexer', () => {
  it.each([
    "select 'open",
    'select `open',
    'select 1 /* open',
    'select /*!50700 1 */',
    'select /*!99999 1 */',
    'select /*M!100000 1 */',
    'select /*!1 /* nested */ */',
    "select _gbk'x'",
    'select _big5 0xa4',
    'select 1a',
    'select users.1',
    'select 1\0',
    'select \\1',
    "select x'zz'",
    'select {1}',
    "select $a$ ' $a$, ssn from users -- '",
    'select $$',
  ])('does not read %s', (text) => expect(() => lex(text)).toThrow(LexFault))

  it('leaves out comments and nothing else', () => {
    expect(lex('select 1').canonical).toBe('select 1')
    expect(lex("select /* a */ 1, '/* b */' # c\n, 2 -- d").canonical).toBe("select 1, '/* b */' , 2")
    expect(lex('select 1--1').canonical).toBe('select 1--1')
    expect(lex('/*!40101 set @a = 1 */').canonical).toBe('set @a = 1')
    expect(lex('select /*+ SET_VAR(sql_mode=ansi) */ 1').canonical).toBe('select 1')
    expect(lex('select/**/1').canonical).toBe('select 1')
  })

  it('takes time that grows with the text', () => {
    const deep = `select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`
    const long = `select 1 from users where ${Array.from({ length: 60_000 }, (_, index) => `id = ${index}`).join(' or ')}`
    const began = performance.now()
    expect(meaning(deep).understood).toBe(false)
    expect(meaning(long).understood).toBe(true)
    expect(meaning('a'.repeat(2_000_000)).understood).toBe(false)
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  it('throws nothing but its own faults, whatever the text', () => {
    const parts = [
      'select',
      ' ',
      "'",
      '"',
      '`',
      '\\',
      '/*',
      '*/',
      '/*!',
      '--',
      '#',
      '\n',
      '@',
      '@@',
      '(',
      ')',
      ',',
      '.',
      ';',
      '1',
      'x',
      '0x',
      'users',
      '*',
      'from',
      ' with ',
      'case',
      '\0',
      'é',
      '?',
      '=',
    ]
    let state = 7
    for (let round = 0; round < 20_000; round += 1) {
      let text = ''
      for (let count = 0; count < 14; count += 1) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
        text += parts[(state >>> 8) % parts.length] ?? ''
      }
      expect(Array.isArray(meaning(text).effects)).toBe(true)
    }
  })
})

describe('masking', () => {
  const masks = [{ column: 'shop.users.ssn', with: 'redact' as const, rule: 'r' }]
  const masked = (text: string): string => {
    const found = maskMysql(bytes(text), context, masks, 'salt')
    return found.kind === 'rewritten' ? found.text : found.kind
  }
  const users = "(SELECT `id`, `name`, IF(`ssn` IS NULL, NULL, LEFT('[redacted]', 11)) AS `ssn`, `age` FROM `shop`.`users`)"

  it.each([
    ['select ssn from users', `select ssn from ${users} AS \`users\``],
    ['select u.ssn from shop.users as u where u.id = 1', `select u.ssn from ${users} AS \`u\` where u.id = 1`],
    ['select shop.users.ssn from shop.users', `select users.ssn from ${users} AS \`users\``],
    [
      'select (select max(ssn) from users)',
      `select (select max(ssn) from ${users} AS \`users\`) AS \`(select max(ssn) from users)\``,
    ],
    ['set @a = (select ssn from users)', `set @a = (select ssn from ${users} AS \`users\`)`],
    ['select 1 from orders', 'unchanged'],
    ["update users set ssn = 'x' where id = 1", 'unchanged'],
    ['update orders set note = (select ssn from users)', 'untraceable'],
    ['update users set name = ssn', 'untraceable'],
    ['insert into orders select id, id, ssn from users', 'untraceable'],
    ['create table copy as select * from users', 'untraceable'],
    ['create table copy as table users', 'untraceable'],
    ['create table copy (a int) ((select ssn from users))', 'untraceable'],
    ['insert into orders (id) select id from users on duplicate key update note = ssn', 'untraceable'],
    ["load data infile '/tmp/x' into table orders (id) set note = (select ssn from users limit 1)", 'untraceable'],
    ['create view v as select ssn from users', 'untraceable'],
    ['alter table users rename column ssn to s', 'untraceable'],
    ['rename table users to harmless', 'untraceable'],
    ['table users', 'untraceable'],
    ['set global init_connect = (select ssn from users limit 1)', 'untraceable'],
    ['call pay((select ssn from users limit 1))', 'untraceable'],
    ['insert into orders select id, id, name from users', 'unchanged'],
    ["select ssn from users into outfile '/tmp/x'", 'untraceable'],
    ['with users as (select * from users) select ssn from users', 'untraceable'],
    ["prepare p from 'select ssn from users'", 'untraceable'],
    ["execute immediate 'select ssn from users'", 'untraceable'],
    ['handler users open', 'untraceable'],
    ['select * from nowhere', 'untraceable'],
    ['select 1 from orders where id in (select id from nowhere)', 'untraceable'],
    ['insert into orders select id, id, name from nowhere', 'untraceable'],
    ['rename table nowhere to harmless', 'untraceable'],
    ['select authentication_string from mysql.user', 'untraceable'],
    ['select * from information_schema.processlist', 'untraceable'],
    ['select table_name from information_schema.tables', 'unchanged'],
    ['select * from mine', 'unchanged'],
    ['with o as (select id from orders) select id from o as p', 'unchanged'],
    ['select 1', 'unchanged'],
  ])('%s', (text, expected) => expect(masked(text)).toBe(expected))

  it('follows a view to what it is made of', () => {
    expect(masked('select alias from people')).toBe(
      "select alias from (SELECT IF(`alias` IS NULL, NULL, LEFT('[redacted]', 11)) AS `alias`, `id` FROM `shop`.`people`) AS `people`",
    )
  })

  it.each(['explain', 'explain format=json', 'analyze', 'explain analyze', 'desc'])(
    'lets no plan of %s look at a masked column',
    (explain) => {
      const hashes = [{ column: 'shop.users.ssn', with: 'hash' as const, rule: 'r' }]
      const found = maskMysql(`${explain} select ssn from users`, context, hashes, 'the-salt')
      expect(found.kind === 'rewritten' && found.text).toBe(
        `${explain} select ssn from (SELECT \`id\`, \`name\`, CAST(NULL AS CHAR) AS \`ssn\`, \`age\` FROM \`shop\`.\`users\`) AS \`users\``,
      )
    },
  )
})
