// No side door: whatever is asked, in whatever way, a masked value does not reach the client, the record, a log or the disk.

import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leaksIn, leaksUnder } from '../backends/leaks.js'
import { planted } from '../backends/samples.js'
import { openStage, type Stage } from '../backends/shop.js'
import {
  bind,
  describePortal,
  describeStatement,
  execute,
  message,
  int32,
  parse,
  query,
  sync,
  type Message,
  type WireClient,
} from '../backends/wire-client.js'
import { doors, mustWork } from './side-doors.js'

let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(() => stage.close())

const codesOf = (answers: readonly Message[]): string => answers.map(({ type }) => type).join('')

/** What became of a client: whether it still gets answers, and the planted values among everything it was ever sent. */
async function aftermath(wire: WireClient): Promise<{ readonly answers: string; readonly leaked: readonly string[] }> {
  await wire.ask('rollback')
  const answers = codesOf(await wire.ask('select 1'))
  return { answers, leaked: leaksIn(Buffer.concat(wire.transcript)) }
}

const safe = { answers: 'TDCZ', leaked: [] }

describe('a masked column', () => {
  it('reads masked and the rest as it is, the same in text and in binary', async () => {
    const client = await stage.client('robot', 'shop')
    const binary = await stage.client('robot', 'shop', { binary: true })
    const sql = 'select id, name, email, ssn, salary, note from customers order by id'
    const { rows } = await client.query<Record<string, unknown>>(sql)
    expect(rows.map(({ id, name, note }) => [id, name, note])).toEqual([
      [1, 'Ada', 'first'],
      [2, 'Bob', 'second'],
      [3, 'Cyd', 'third'],
    ])
    expect(rows[0]).toMatchObject({ salary: null })
    expect(rows[0]?.['email']).toMatch(/\*/)
    expect(rows[0]?.['ssn']).toBe(rows[1]?.['ssn'])
    expect(rows[2]).toMatchObject({ email: null, salary: null })
    expect((await binary.query(sql)).rows).toEqual(rows)
    expect((await client.query({ text: `${sql} limit $1`, values: [3] })).rows).toEqual(rows)
    expect(leaksIn(JSON.stringify(rows))).toEqual([])
  })

  it('reads as ever for a target without the rule', async () => {
    const client = await stage.client('robot', 'plain')
    const { rows } = await client.query('select email, ssn, salary from customers where id = 1')
    expect(rows).toEqual([{ email: planted.email, ssn: planted.ssn, salary: planted.salary }])
  })

  it('stays masked through pg-cursor and pg-query-stream', async () => {
    const client = await stage.client('robot', 'shop')
    const cursor = client.query(new Cursor('select id, email, ssn from customers where id >= $1 order by id', [1]))
    const seen: unknown[] = [...(await cursor.read(2)), ...(await cursor.read(2))]
    await cursor.close()
    const stream = client.query(new QueryStream('select c from customers c where id >= $1', [1], { batchSize: 1 }))
    for await (const row of stream) seen.push(row)
    expect(seen).toHaveLength(6)
    expect(leaksIn(JSON.stringify(seen))).toEqual([])
  })

  it.each([
    'copy customers to stdout',
    'copy customers (id, ssn) to stdout (format csv, header)',
    'copy customers to stdout (format binary)',
    'copy (select ssn, email, c from customers c) to stdout',
  ])('stays masked in `%s`', async (sql) => {
    const client = await stage.client('robot', 'shop')
    const chunks: Buffer[] = []
    for await (const chunk of client.query(copyTo(sql))) chunks.push(Buffer.from(chunk))
    expect(Buffer.concat(chunks).length).toBeGreaterThan(20)
    expect(leaksIn(Buffer.concat(chunks))).toEqual([])
  })

  it('does not stand in the way of COPY in', async () => {
    const client = await stage.client('robot', 'shop')
    const before = await client.query<{ n: number }>('select count(*)::int as n from staff')
    await client.query('begin')
    const into = client.query(copyFrom('copy orders (id, customer, total) from stdin'))
    await new Promise((done, fail) => {
      into.once('finish', done).once('error', fail)
      for (let n = 1000; n < 3000; n++) into.write(`${n}\t1\t${n}.25\n`)
      into.end()
    })
    expect((await client.query('select count(*)::int as n from orders where id >= 1000')).rows).toEqual([{ n: 2000 }])
    await client.query('rollback')
    expect((await client.query('select count(*)::int as n from staff')).rows).toEqual(before.rows)
  })

  it('does not tell by a predicate', async () => {
    const client = await stage.client('robot', 'shop')
    const guesses = await client.query(
      `select id from customers where ssn like '9%' or email like 'ada%4417%' or salary > 90000000`,
    )
    expect(guesses.rows).toEqual([])
  })
})

describe('what is typed at psql by honest people', () => {
  it.each(mustWork)('works, masked: %s', async (sql) => {
    const wire = await stage.wire('ann', 'shop')
    const answers = await wire.ask(sql)
    expect(codesOf(answers)).not.toContain('E')
    expect(await aftermath(wire)).toEqual(safe)
  })
})

describe('a side door', () => {
  it.each(doors)('is shut in a simple query: %s', async (...statements) => {
    const wire = await stage.wire('ann', 'root')
    for (const sql of statements) await wire.ask(sql)
    expect(await aftermath(wire)).toEqual(safe)
  })

  it.each(doors)('is shut without Describe, in binary, all in one go: %s', async (...statements) => {
    const wire = await stage.wire('ann', 'root')
    for (const [at, sql] of statements.entries())
      wire.send(parse(`s${at}`, sql), bind(`p${at}`, `s${at}`, [], 1), execute(`p${at}`), sync)
    for (const _ of statements) await wire.until('Z')
    expect(await aftermath(wire)).toEqual(safe)
  })

  it('is shut in all of them at once, in one text', async () => {
    const wire = await stage.wire('ann', 'root')
    for (const statements of doors) await wire.ask(statements.join('; '))
    expect(await aftermath(wire)).toEqual(safe)
  })
})

describe('a door of the protocol', () => {
  it('FunctionCall is shut', async () => {
    const wire = await stage.wire('ann', 'shop')
    const text = Buffer.from('select * from customers')
    const argument = (bytes: Buffer): Buffer => Buffer.concat([int32(bytes.length), bytes])
    const yes = Buffer.from([1])
    wire.send(message('F', int32(2923), 1, 1, 4, argument(text), argument(yes), argument(yes), argument(Buffer.alloc(0)), 1))
    expect(codesOf(await wire.until('Z'))).toMatch(/^EZ$/)
    expect(await aftermath(wire)).toEqual(safe)
  })

  it('a portal that is suspended stays masked to its end', async () => {
    const wire = await stage.wire('ann', 'shop')
    wire.send(parse('', 'select ssn, email from customers order by id'), bind('p', ''), describePortal('p'))
    for (let times = 0; times < 4; times++) wire.send(execute('p', 1))
    wire.send(sync)
    expect(codesOf(await wire.until('Z'))).toBe('12TDsDsDsCZ')
    expect(await aftermath(wire)).toEqual(safe)
  })

  it('a name prepared in SQL and run by the protocol, and the other way round, stays masked', async () => {
    const wire = await stage.wire('ann', 'shop')
    await wire.ask('prepare one as select ssn from customers')
    wire.send(bind('', 'one'), execute(), sync)
    expect(codesOf(await wire.until('Z'))).toBe('2DDDCZ')
    wire.send(parse('two', 'select email from customers'), sync)
    await wire.until('Z')
    expect(codesOf(await wire.ask('execute two'))).toBe('TDDDCZ')
    await wire.ask('begin')
    await wire.ask('declare three binary cursor for select ssn from customers')
    wire.send(describePortal('three'), execute('three', 2), sync)
    expect(codesOf(await wire.until('Z'))).toBe('TDDsZ')
    expect(codesOf(await wire.ask('fetch all three'))).toContain('D')
    expect(await aftermath(wire)).toEqual(safe)
  })

  it('a denied Parse does not leave the statement before it to be run', async () => {
    const wire = await stage.wire('robot', 'shop')
    wire.send(parse('', 'select 42'), sync)
    await wire.until('Z')
    wire.send(parse('', 'select * from scratch'), bind('', ''), execute(), sync)
    expect(codesOf(await wire.until('Z'))).toBe('EZ')
    wire.send(bind('', ''), execute(), sync)
    expect(codesOf(await wire.until('Z'))).toBe('EZ')
    expect(await aftermath(wire)).toEqual(safe)
  })

  it('a plan made under one search_path does not run under another', async () => {
    const wire = await stage.wire('ann', 'shop')
    wire.send(parse('s', 'select * from orders where id = 1'), describeStatement('s'), sync)
    await wire.until('Z')
    await wire.ask(`set search_path to priv, public`)
    wire.send(bind('', 's'), execute(), sync)
    await wire.until('Z')
    await wire.ask(`select set_config('search_path', 'priv', false)`)
    wire.send(bind('', 's'), execute(), sync)
    await wire.until('Z')
    await wire.ask('select * from orders where id = 1')
    wire.send(query('set search_path to priv'), query('select * from orders where id = 1'))
    await wire.until('Z')
    await wire.until('Z')
    expect(await aftermath(wire)).toEqual(safe)
  })

  it('a migration that leaves its transaction open holds nobody up, itself neither', async () => {
    const migrating = await stage.client('ann', 'shop')
    const other = await stage.client('robot', 'shop')
    await migrating.query('create table migrated (id int)')
    await migrating.query('create view of_migrated as select * from migrated')
    expect((await other.query('select * from of_migrated')).rows).toEqual([])
    await migrating.query('begin')
    await migrating.query('alter table migrated add column more int')
    const began = Date.now()
    expect((await migrating.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await migrating.query('alter table migrated add column most int')
    expect((await other.query('select id from customers where id = 1')).rows).toEqual([{ id: 1 }])
    // What the view is made of cannot be told while somebody changes what it reads.
    await expect(other.query('select * from of_migrated')).rejects.toThrow('denied')
    expect(Date.now() - began).toBeLessThan(10_000)
    await migrating.query('commit')
    expect((await other.query('select * from of_migrated')).rows).toEqual([])
    await migrating.query('drop table migrated cascade')
  })

  it('text with a NUL or broken UTF-8 in it is not read differently by us and by the server', async () => {
    for (const text of [
      Buffer.from("select '\\xff\xfe', ssn from customers\0", 'latin1'),
      Buffer.from('select 1\0; select ssn from customers\0'),
    ]) {
      const wire = await stage.wire('ann', 'shop')
      wire.send(message('Q', text))
      await Promise.race([wire.until('Z'), wait(3000)])
      expect(leaksIn(Buffer.concat(wire.transcript))).toEqual([])
      wire.close()
    }
  })
})

describe('afterwards', () => {
  it('nothing planted is in the record, the logs, or on the disk', async () => {
    const sessions = await stage.gateway.json<readonly { id: string; target: string }[]>('sessions', 'list', '--limit', '1000')
    const ofShop = sessions.filter(({ target }) => target !== 'plain')
    expect(ofShop.length).toBeGreaterThan(200)
    for (const { id } of ofShop.slice(0, 40)) {
      const replay = await stage.gateway.cli(['replay', id, '--instant', '--format', 'json'])
      expect(replay).toMatchObject({ code: 0, stderr: '' })
      expect(leaksIn(replay.stdout)).toEqual([])
      expect(leaksIn(JSON.stringify(await stage.gateway.json('sessions', 'show', id)))).toEqual([])
    }
    expect(leaksIn(stage.gateway.log())).toEqual([])
  })

  it('the one session that was allowed to see them is on record with them, so this search can find', async () => {
    const [session] = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list', '--target', 'plain')
    const replay = await stage.gateway.cli(['replay', session?.id ?? '', '--instant', '--format', 'json'])
    expect(leaksIn(replay.stdout)).toContain(planted.ssn)
  })

  it('neither the stored credential nor a token is on the disk', async () => {
    const token = new URL(await stage.gateway.url('robot', 'shop')).password
    await stage.gateway.stop()
    expect(leaksUnder(stage.gateway.home, ['stored-credential-7Qx2Lr9', token])).toEqual([])
    await stage.gateway.restart()
    const client = new Client({ connectionString: await stage.gateway.url('robot', 'shop') })
    await client.connect()
    await client.end()
  })
})
