// The record is what happened: equal to the server's own statement log, also after the gateway was killed; and altering it shows.

import { spawn } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onServer } from '../backends/postgres.js'
import { lacks, program, run, runChecked } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { inRecords } from '../backends/records.js'
import { openStage, type Stage } from '../backends/shop.js'
import { settledStatements } from '../backends/statement-log.js'
import { bind, execute, parse, sync } from '../backends/wire-client.js'

interface Shown {
  readonly id: string
  readonly endedAt: string | null
  readonly outcome: string | null
  readonly statementList: readonly {
    readonly kind: string
    readonly text: string
    readonly parameters: readonly (string | null)[]
    readonly ruling: { readonly kind: string } | null
    readonly rows: number | null
    readonly error: string | null
  }[]
}

let stage: Stage

beforeAll(async () => {
  stage = await openStage()
  await runChecked(program('pgbench'), [
    '-i',
    '-q',
    '-s',
    '1',
    `postgresql://postgres@127.0.0.1:${stage.facts.port}/${stage.database}`,
  ])
  await onServer(stage.facts, stage.database, 'grant all on all tables in schema public to public')
})

afterAll(() => stage.close())

const sessions = (
  ...filter: readonly string[]
): Promise<readonly { id: string; identity: string; statements: number; denied: number }[]> =>
  stage.gateway.json('sessions', 'list', '--limit', '1000', ...filter)

const show = (id: string): Promise<Shown> => stage.gateway.json('sessions', 'show', id)

/** What clients named so ran: by the record, and by the server. Each in no order, for they ran side by side. */
async function bothAccounts(
  application: string,
  since: ReadonlySet<string>,
): Promise<{ readonly recorded: readonly string[]; readonly logged: readonly string[] }> {
  const own = (await sessions()).filter(({ id }) => !since.has(id))
  const shown = await Promise.all(own.map(({ id }) => show(id)))
  const recorded = shown.flatMap(({ statementList }) =>
    statementList.filter(({ kind, ruling }) => kind === 'query' && ruling?.kind !== 'deny').map(({ text }) => text),
  )
  const logged = (await settledStatements(stage.facts, stage.database))
    .filter((statement) => statement.application === application)
    .map(({ text }) => text)
  return { recorded: recorded.toSorted(), logged: logged.toSorted() }
}

/** How often each text occurs. */
function tally(texts: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}

describe.skipIf(lacks('pgbench'))('pgbench', () => {
  it.each(['simple', 'extended', 'prepared'])(
    'in %s mode runs without an error, and the record equals the statement log',
    async (mode) => {
      const before = new Set((await sessions()).map(({ id }) => id))
      const url = await stage.gateway.url('robot', 'plain', `application_name=bench_${mode}`)
      const result = await run(program('pgbench'), ['-n', '-M', mode, '-c', '4', '-t', '100', url])
      expect(result.stderr).not.toMatch(/error|abort/i)
      expect(result.stdout).toContain('number of transactions actually processed: 400/400')
      const { recorded, logged } = await bothAccounts(`bench_${mode}`, before)
      expect(logged.length).toBeGreaterThan(2700)
      expect(tally(recorded)).toEqual(tally(logged))
    },
  )

  it('with rules, masks and selects only runs without an error', async () => {
    const result = await run(program('pgbench'), [
      '-n',
      '-S',
      '-M',
      'prepared',
      '-c',
      '8',
      '-t',
      '200',
      await stage.gateway.url('robot', 'shop'),
    ])
    expect(result.stdout).toContain('number of transactions actually processed: 1600/1600')
  })
})

describe('a session on record', () => {
  it('shows each statement with parameters, rows and error, and can be replayed and searched', async () => {
    const wire = await stage.wire('robot', 'shop')
    await wire.ask(`select 'needle-8842'`)
    wire.send(parse('', 'select id, name from customers where id >= $1 order by id'), bind('', '', ['2']), execute(), sync)
    await wire.until('Z')
    await wire.ask('select 1 / 0')
    await wire.ask('drop table orders')
    const [session] = await sessions('--live', '--target', 'shop', '--identity', 'robot')
    wire.close()
    const id = session?.id ?? ''
    await waitFor(
      async () => ((await show(id)).endedAt === null ? undefined : true),
      10_000,
      () => 'the end of the session on record',
    )
    const { statementList } = await show(id)
    expect(statementList.filter(({ kind }) => kind === 'query')).toMatchObject([
      { text: `select 'needle-8842'`, rows: 1, error: null, ruling: { kind: 'allow' } },
      { parameters: ['2'], rows: 2 },
      { text: 'select 1 / 0', error: expect.stringContaining('22012') },
      {
        text: 'drop table orders',
        ruling: { kind: 'deny', rule: 'no-schema-changes', reason: 'Schema changes go through migrations.' },
      },
    ])
    expect((await sessions()).find((one) => one.id === id)).toMatchObject({ statements: 4, denied: 1 })
    const text = (await stage.gateway.cli(['replay', id, '--instant'])).stdout
    expect(text).toContain('needle-8842')
    expect(text).toContain('Cyd')
    expect(text).toContain('denied by rule no-schema-changes')
    const lines = (await stage.gateway.cli(['replay', id, '--instant', '--format', 'json'])).stdout.trim().split('\n')
    const times = lines.map((line) => Number(/"at":(\d+)/.exec(line)?.[1]))
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    const found = await stage.gateway.json<readonly { session: string; text: string }[]>('search', 'needle-8842')
    expect(found).toMatchObject([{ session: id, text: `select 'needle-8842'` }])
  })

  it('never shows a literal password', async () => {
    const wire = await stage.wire('robot', 'plain')
    await wire.ask(`create role e2e_nobody password 'hunter2-literal'`)
    await wire.ask(`alter role e2e_nobody password 'hunter2-literal'`)
    wire.close()
    await wait(500)
    const [session] = await sessions('--target', 'plain')
    const replay = await stage.gateway.cli(['replay', session?.id ?? '', '--instant', '--format', 'json'])
    expect(replay.stdout).toContain('e2e_nobody')
    expect(replay.stdout).not.toContain('hunter2-literal')
    expect(JSON.stringify(await show(session?.id ?? ''))).not.toContain('hunter2-literal')
  })
})

describe.skipIf(lacks('pgbench'))('kill -9 of the gateway in the middle of work', () => {
  it('loses no statement that ran: restart, compare, verify', async () => {
    const before = new Set((await sessions()).map(({ id }) => id))
    const url = await stage.gateway.url('robot', 'plain', 'application_name=killed')
    const bench = spawn(program('pgbench'), ['-n', '-c', '4', '-T', '30', url], { stdio: 'ignore' })
    const ended = new Promise((done) => bench.once('close', done))
    await wait(2000)
    await stage.gateway.kill()
    await ended
    await stage.gateway.restart()
    await waitFor(
      async () => ((await sessions('--live')).length === 0 ? true : undefined),
      20_000,
      () => 'the sessions cut off to be closed',
    )
    const { recorded, logged } = await bothAccounts('killed', before)
    expect(logged.length).toBeGreaterThan(500)
    const record = tally(recorded)
    const ran = tally(logged)
    // What ran is on record. What is on record and did not run can only be what was held in that moment: one for each client.
    const missing = [...ran].filter(([text, count]) => (record.get(text) ?? 0) < count)
    expect(missing).toEqual([])
    expect(recorded.length - logged.length).toBeLessThanOrEqual(4)
    const own = (await sessions()).filter(({ id }) => !before.has(id))
    const outcomes = await Promise.all(own.map(async ({ id }) => (await show(id)).outcome))
    expect(outcomes.filter((outcome) => outcome?.includes('gateway') === true)).toHaveLength(4)
    const verified = await stage.gateway.cli(['verify', '--all'])
    expect(verified).toMatchObject({ code: 0 })
  })
})

describe('verify', () => {
  const verify = async (): Promise<{ readonly code: number | null; readonly whole: boolean }> => {
    const result = await stage.gateway.cli(['verify', '--all', '--json'])
    const { whole }: { whole: boolean } = JSON.parse(result.stdout)
    return { code: result.code, whole }
  }

  /** Alters the record, and puts it back afterwards. */
  async function altered(change: string, table: string): Promise<{ readonly code: number | null; readonly whole: boolean }> {
    await inRecords(stage.gateway.home, `drop table if exists kept; create table kept as select * from sallyport.${table}`)
    await inRecords(stage.gateway.home, change)
    const found = await verify()
    await inRecords(
      stage.gateway.home,
      `delete from sallyport.${table}; insert into sallyport.${table} select * from kept; drop table kept`,
    )
    return found
  }

  it('finds the record whole, and each of these not', async () => {
    expect(await verify()).toEqual({ code: 0, whole: true })
    const some = '(select session from sallyport.blocks order by session limit 1)'
    const changes: readonly [string, string][] = [
      [`update sallyport.blocks set bytes = set_byte(bytes, 5, 255 - get_byte(bytes, 5)) where session = ${some}`, 'blocks'],
      [`delete from sallyport.blocks where session = ${some}`, 'blocks'],
      [`update sallyport.statements set text = 'select 2' where text = 'select 1 / 0'`, 'statements'],
      [`delete from sallyport.statements where text = 'drop table orders'`, 'statements'],
      [`update sallyport.statements set ruling = 'allow' where ruling = 'deny'`, 'statements'],
      [`update sallyport.sessions set identity = 'somebody-else' where id = ${some}`, 'sessions'],
      [`delete from sallyport.checkpoints where number = (select max(number) - 1 from sallyport.checkpoints)`, 'checkpoints'],
      [`update sallyport.checkpoints set signature = set_byte(signature, 0, 255 - get_byte(signature, 0))`, 'checkpoints'],
    ]
    for (const [change, table] of changes)
      expect([change, await altered(change, table)]).toEqual([change, { code: 1, whole: false }])
    expect(await verify()).toEqual({ code: 0, whole: true })
  })
})
