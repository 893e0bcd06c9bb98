// A denial fails the statement, in its turn and with the transaction state that is true, and the connection goes on.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks } from '../backends/programs.js'
import { psql } from '../backends/psql.js'
import { openStage, type Stage } from '../backends/shop.js'
import { settledStatements } from '../backends/statement-log.js'
import {
  bind,
  describePortal,
  execute,
  fields,
  flush,
  message,
  parse,
  query,
  sync,
  type Message,
  type WireClient,
} from '../backends/wire-client.js'

let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(() => stage.close())

const types = (answers: readonly Message[]): string => answers.map(({ type }) => type).join('')

const errorIn = (answers: readonly Message[]): Readonly<Record<string, string>> => {
  const found = answers.find(({ type }) => type === 'E')
  return found === undefined ? {} : fields(found.body)
}

/** The transaction state that the last ReadyForQuery told. */
const state = (answers: readonly Message[]): string => answers.at(-1)?.body.toString() ?? ''

async function batch(wire: WireClient, ...messages: readonly Buffer[]): Promise<readonly Message[]> {
  wire.send(...messages, sync)
  return wire.until('Z')
}

const run = (sql: string): readonly Buffer[] => [parse('', sql), bind('', ''), describePortal(), execute()]

const refusal = {
  S: 'ERROR',
  V: 'ERROR',
  C: '42501',
  M: 'denied by rule no-schema-changes: Schema changes go through migrations.',
  H: 'Ask the platform team for a migration.',
}

describe('a denied statement', () => {
  it('is an ERROR 42501 with rule, reason, session, statement and hint', async () => {
    const wire = await stage.wire('robot', 'shop')
    const answers = await wire.ask('drop table orders')
    expect(types(answers)).toBe('EZ')
    expect(errorIn(answers)).toMatchObject(refusal)
    const sessions = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list', '--live')
    const detail = errorIn(answers)['D'] ?? ''
    expect(sessions.some(({ id }) => detail.includes(id))).toBe(true)
    expect(errorIn(answers)['P']).toBeUndefined()
    expect(types(await wire.ask('select 1'))).toBe('TDCZ')
  })

  it('never reaches the server', async () => {
    const ran = await settledStatements(stage.facts, stage.database)
    expect(ran.filter(({ text }) => text.includes('drop table orders'))).toEqual([])
  })

  it('denies the whole of a text of several statements', async () => {
    const wire = await stage.wire('robot', 'shop')
    const answers = await wire.ask(`insert into orders values (7001, 1, 1); drop table orders; select 1`)
    expect(types(answers)).toBe('EZ')
    expect(state(answers)).toBe('I')
    const count = await wire.ask('select count(*) from orders where id = 7001')
    expect(count.find(({ type }) => type === 'D')?.body.toString()).toContain('0')
  })

  it('fails the transaction it is in, which says so and rolls back', async () => {
    const wire = await stage.wire('robot', 'shop')
    expect(state(await wire.ask('begin'))).toBe('T')
    await wire.ask('insert into orders values (7002, 1, 1)')
    const answers = await wire.ask('drop table orders')
    expect(types(answers)).toBe('EZ')
    expect(state(answers)).toBe('E')
    expect(errorIn(await wire.ask('select 1'))['C']).toBe('25P02')
    const end = await wire.ask('commit')
    expect(end[0]?.body.toString()).toContain('ROLLBACK')
    expect(state(end)).toBe('I')
  })

  it('can be rolled back to a savepoint', async () => {
    const wire = await stage.wire('robot', 'shop')
    await wire.ask('begin; insert into orders values (7003, 1, 1); savepoint s')
    await wire.ask('drop table orders')
    expect(state(await wire.ask('rollback to s'))).toBe('T')
    const count = await wire.ask('select count(*) from orders where id = 7003')
    expect(count.find(({ type }) => type === 'D')?.body.toString()).toContain('1')
    await wire.ask('rollback')
  })
})

describe('in the extended protocol', () => {
  it('is denied at Parse, and all up to Sync is skipped', async () => {
    const wire = await stage.wire('robot', 'shop')
    const answers = await batch(wire, ...run('drop table orders'), ...run('select 1'))
    expect(types(answers)).toBe('EZ')
    expect(errorIn(answers)).toMatchObject(refusal)
    expect(types(await batch(wire, ...run('select 1')))).toBe('12TDCZ')
  })

  it('comes in its turn of a pipeline, and what was before it in the implicit transaction is rolled back', async () => {
    const wire = await stage.wire('robot', 'shop')
    const answers = await batch(
      wire,
      ...run('insert into orders values (7004, 1, 1)'),
      ...run('select 2'),
      ...run('drop table orders'),
      ...run('select 3'),
    )
    expect(types(answers)).toBe('12nC12TDCEZ')
    expect(state(answers)).toBe('I')
    const count = await wire.ask('select count(*) from orders where id = 7004')
    expect(count.find(({ type }) => type === 'D')?.body.toString()).toContain('0')
  })

  it('of several pipelines sent at once, only its own fails', async () => {
    const wire = await stage.wire('robot', 'shop')
    wire.send(...run('select 1'), sync, ...run('drop table orders'), sync, query('drop table orders'), ...run('select 4'), sync)
    const told: string[] = []
    for (let times = 0; times < 4; times++) told.push(types(await wire.until('Z')))
    expect(told).toEqual(['12TDCZ', 'EZ', 'EZ', '12TDCZ'])
  })

  it('is answered at a Flush, before any Sync', async () => {
    const wire = await stage.wire('robot', 'shop')
    wire.send(...run('select 1'), flush)
    expect(types(await wire.until('C'))).toBe('12TDC')
    wire.send(parse('x', 'drop table orders'), flush)
    expect(types(await wire.until('E'))).toBe('E')
    wire.send(query('select 1'), bind('', 'x'), sync) // skipped, as the server itself skips them
    expect(types(await wire.until('Z'))).toBe('Z')
  })

  it('a prepared statement that is denied does not exist afterwards', async () => {
    const wire = await stage.wire('robot', 'shop')
    await batch(wire, parse('d', 'drop table orders'))
    expect(errorIn(await batch(wire, bind('', 'd'), execute()))['C']).toBe('26000')
    expect(types(await batch(wire, parse('d', 'select 1')))).toBe('1Z')
  })

  it('FunctionCall and the start of replication are refused, and the connection goes on', async () => {
    const wire = await stage.wire('robot', 'plain')
    wire.send(message('F', Buffer.from([0, 0, 0, 77]), 0, 0, 0))
    expect(types(await wire.until('Z'))).toBe('EZ')
    expect(types(await wire.ask('select 1'))).toBe('TDCZ')
  })
})

describe('what cannot be understood', () => {
  it.each([
    ['a text that does not parse', 'selekt 1'],
    ['a function nobody vouched for', 'select leak()'],
    ['DO', 'do $$ begin null; end $$'],
  ])('is denied where a rule could have applied: %s', async (_, sql) => {
    const wire = await stage.wire('robot', 'shop')
    const answers = await wire.ask(sql)
    expect(types(answers)).toBe('EZ')
    expect(errorIn(answers)['C']).toBe('42501')
  })

  it('is left to the server where none could', async () => {
    const wire = await stage.wire('robot', 'plain')
    expect(errorIn(await wire.ask('selekt 1'))['C']).toBe('42601')
    expect(types(await wire.ask('do $$ begin null; end $$'))).toBe('CZ')
    expect(types(await wire.ask('select leak()'))).toBe('TDCZ')
  })

  it.each([
    ['deep', `select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`],
    ['long', `select 1${'+1'.repeat(60_000)}`],
    ['a long union', `select 1${' union all select 1'.repeat(15_000)}`],
    ['large', `select '${'x'.repeat(3_000_000)}'`],
  ])('and is %s stalls no other session', async (_, sql) => {
    const hostile = await stage.wire('robot', 'shop')
    const other = await stage.wire('second', 'shop')
    hostile.send(query(sql))
    const began = Date.now()
    for (let times = 0; times < 20; times++)
      expect(types(await other.ask(`select id, email from customers where id = ${times}`))).toMatch(/^TD?CZ$/)
    expect(Date.now() - began).toBeLessThan(3000)
    expect(types(await hostile.until('Z'))).toBe('EZ')
    expect(types(await hostile.ask('select 1'))).toBe('TDCZ')
  })

  it('an empty text stays an empty query', async () => {
    const wire = await stage.wire('robot', 'shop')
    expect(types(await wire.ask(''))).toBe('IZ')
    expect(types(await wire.ask('-- nothing'))).toBe('IZ')
    expect(types(await batch(wire, parse('', ''), bind('', ''), execute()))).toBe('12IZ')
  })
})

describe('rowsOver', () => {
  const rows = (answers: readonly Message[]): number => answers.filter(({ type }) => type === 'D').length

  it('lets through what stays under it', async () => {
    const wire = await stage.wire('robot', 'shop')
    expect(rows(await wire.ask('select id from numbers where id <= 1000'))).toBe(1000)
  })

  it('stops at the first row above it, in simple and extended, and the connection goes on', async () => {
    const wire = await stage.wire('robot', 'shop')
    for (const answers of [await wire.ask('select id from numbers'), await batch(wire, ...run('select id from numbers'))]) {
      expect(rows(answers)).toBeLessThanOrEqual(1000)
      expect(errorIn(answers)).toMatchObject({ C: '42501', M: 'denied by rule no-bulk: That is an export.' })
      expect(types(await wire.ask('select 1'))).toBe('TDCZ')
    }
  })

  it('counts what a cursor and COPY hand out as well', async () => {
    const wire = await stage.wire('robot', 'shop')
    await wire.ask('begin; declare c cursor for select id from numbers')
    expect(rows(await wire.ask('fetch all c'))).toBeLessThanOrEqual(1000)
    await wire.ask('rollback')
    const copied = await wire.ask('copy (select id from numbers) to stdout')
    expect(copied.filter(({ type }) => type === 'd').length).toBeLessThanOrEqual(1000)
    expect(types(await wire.ask('select 1'))).toBe('TDCZ')
  })
})

describe.skipIf(lacks('psql'))('at the prompt of psql', () => {
  it('a denial reads well and the script goes on', async () => {
    const result = await psql(await stage.gateway.url('robot', 'shop'), 'drop table orders;\nselect 7;\n')
    expect(result.stdout).toBe('7\n')
    expect(result.stderr).toContain('ERROR:  42501: denied by rule no-schema-changes: Schema changes go through migrations.')
    expect(result.stderr).toContain('HINT:  Ask the platform team for a migration.')
    expect(result.code).toBe(0)
  })

  it.each([
    '\\d',
    '\\d customers',
    '\\d+ orders',
    '\\dt+',
    '\\dv+',
    '\\di+',
    '\\df',
    '\\df+ leak',
    '\\dn+',
    '\\du',
    '\\dp',
    '\\l',
    '\\dT',
    '\\do',
    '\\dx',
    '\\sf leak',
    '\\sv contacts',
    '\\encoding',
  ])('%s prints what it prints without the gateway', async (command) => {
    const direct = await psql(
      `postgresql://app_scram:stored-credential-7Qx2Lr9@127.0.0.1:${stage.facts.port}/${stage.database}`,
      `${command}\n`,
    )
    const through = await psql(await stage.gateway.url('robot', 'shop'), `${command}\n`)
    expect(through.stderr).toBe('')
    expect(through.stdout).toBe(direct.stdout)
  })

  it('\\copy, \\gdesc, \\bind-free prepared statements and \\watch work', async () => {
    const sql = `select id, name from orders join customers using (id) limit 0 \\gdesc\n\\copy (select id from orders order by id limit 3) to stdout\nprepare p as select 5;\nexecute p;\n`
    const result = await psql(await stage.gateway.url('robot', 'shop'), sql)
    expect(result).toMatchObject({ code: 0, stderr: '', stdout: 'id|integer\nname|text\n1\n2\n3\nPREPARE\n5\n' })
  })
})
