// Reads the corpus of evasions: each text must be seen as exactly what stands beside it.

import { describe, expect, it } from 'vitest'
import type { Effect } from '@sallyport/core'
import { MysqlCatalog } from './catalog.js'
import { evasions } from './evasions.fixture.js'
import { understandMysql } from './understand.js'
import type { MysqlContext } from './understand.js'

const tables: Readonly<Record<string, readonly string[]>> = {
  'shop.users': ['id', 'name', 'ssn', 'age'],
  'shop.orders': ['id', 'user_id', 'note'],
  'shop.people': ['alias', 'id'],
  'shop.ones': ['one'],
  'other.users': ['x'],
}
const columns = Object.entries(tables).flatMap(([table, names]) =>
  names.map((name) => [...table.split('.'), name, 'varchar', 'varchar(40)']),
)
const views = [
  ['shop', 'people', 'select `shop`.`users`.`ssn` AS `alias`,`shop`.`users`.`id` AS `id` from `shop`.`users`'],
  ['shop', 'ones', 'select 1 AS `one` from `shop`.`users`'],
]
const contextAt = (server: string): MysqlContext => ({
  catalog: new MysqlCatalog(columns, views, [['shop', 'nvl']], server),
  database: 'shop',
  temporaries: new Set(['shop.mine']),
  trustedFunctions: ['shop.total'],
})

function shown({ access, verb, object, columns: touched, bounded }: Effect): string {
  const names = touched === undefined ? [] : [`(${touched.map((each) => each.slice(object.length + 1)).join(' ')})`]
  const narrowed = bounded === undefined ? [] : [bounded ? 'bounded' : 'unbounded']
  return [access, verb, ...(object === '' ? [] : [object]), ...names, ...narrowed].join(' ')
}

function seen(text: string, context: MysqlContext): string {
  const found = understandMysql(Buffer.from(text, 'utf8').toString('latin1'), context)
  const unsettling = found.unsettles && found.executes.length === 0 && found.effects.every(({ access }) => access !== 'unknown')
  if (!found.understood) expect(found.effects).toEqual([{ access: 'unknown', verb: 'query', object: '' }])
  return [
    ...(found.understood ? [] : ['unread']),
    ...(found.refusal === undefined ? [] : ['refused']),
    ...(found.canonical === undefined ? [] : [`sends ${found.canonical}`]),
    ...(found.use === undefined ? [] : [`use ${found.use}`]),
    ...found.executes.map((name) => `executes ${name}`),
    ...found.prepares.filter(({ name }) => name.startsWith('HANDLER')).map(({ name }) => `opens ${name}`),
    ...(unsettling ? ['unsettles'] : []),
    ...(found.kills === undefined ? [] : [`kills ${found.kills.id}`]),
    ...(found.diagnostics ? ['diagnostics'] : []),
    ...found.makesTemporary.map((name) => `temporary ${name}`),
    ...(found.understood ? found.effects.map(shown) : []),
  ].join('; ')
}

describe.each(evasions)('$trick', ({ texts, server = '' }) => {
  const context = contextAt(server)
  it.each(texts)('%s', (text, expected) => expect(seen(text, context)).toBe(expected))
})

it('holds no text twice', () => {
  const all = evasions.flatMap(({ texts, server = '' }) => texts.map(([text]) => `${server} ${text}`))
  expect(new Set(all).size).toBe(all.length)
})
