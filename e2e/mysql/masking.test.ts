// No side door: whatever is asked, in whatever way, a masked value does not reach the client, the record, a log or the target's other rows.

import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { leaksIn, leaksUnder } from '../backends/leaks.js'
import { mysqlKinds, mysqlServer, onMysql } from '../backends/mysql-server.js'
import { openMysqlStage, type MysqlStage } from '../backends/mysql-stage.js'
import { planted, plantedTexts } from '../backends/samples.js'
import { doors, mustWork, mustWorkAtMariadb } from './side-doors.js'

describe.each(mysqlKinds)('at %s', (kind) => {
  describe.skipIf(mysqlServer(kind) === undefined)('MySQL masks', () => {
    let stage: MysqlStage

    beforeAll(async () => {
      stage = await openMysqlStage({ kind })
    })

    afterAll(() => stage.close())

    /** All that came back: rows, names of columns, the error. */
    async function answer(client: Connection, sql: string, prepared: boolean): Promise<string> {
      try {
        const result = prepared ? await client.execute(sql) : await client.query(sql)
        return JSON.stringify(result, (_, value: unknown) => (value instanceof Buffer ? value.toString('latin1') : value))
      } catch (error) {
        return `error: ${String(error)}`
      }
    }

    async function runAll(texts: readonly string[], target: string, prepared: boolean): Promise<readonly string[]> {
      let client = await stage.client('robot', target, { multipleStatements: true })
      const leaked: string[] = []
      for (const text of texts) {
        const said = await answer(client, text.replaceAll('$DB', stage.database), prepared)
        // Names of columns repeat the text: what the caller wrote is no news to them.
        const news = plantedTexts.filter((value) => !text.includes(value))
        if (leaksIn(said, news).length > 0) leaked.push(`${text} -> ${said.slice(0, 300)}`)
        // A session may end over a text (a KILL of itself), never over a denial.
        if (/closed|ECONNRESET/i.test(said)) client = await stage.client('robot', target, { multipleStatements: true })
      }
      return leaked
    }

    it('covers at least 150 ways', () => expect(doors.length).toBeGreaterThanOrEqual(150))

    it.each(['shop', 'root'])('hold against every text at %s', async (target) => {
      expect(await runAll(doors, target, false)).toEqual([])
    })

    it('hold against every text when it is prepared', async () => {
      expect(await runAll(doors, 'root', true)).toEqual([])
    })

    it('read masked, and the rest as it is, the same in text and in binary', async () => {
      const client = await stage.client('robot', 'shop')
      const sql = 'select id, name, email, ssn, salary, note from customers where id < 4 order by id'
      const [text] = await client.query<RowDataPacket[]>(sql)
      const [binary] = await client.execute<RowDataPacket[]>(sql)
      expect(text).toEqual(binary)
      expect(text[0]).toMatchObject({
        id: 1,
        name: 'Ada',
        email: 'a***@example.test',
        ssn: '[redacted]',
        salary: null,
        note: 'first',
      })
      expect(text[2]).toMatchObject({ id: 3, name: 'Cyd', ssn: null, salary: null })
    })

    it('keep what the server says of a masked statement covered until it says something else', async () => {
      const client = await stage.client('robot', 'shop', { multipleStatements: true })
      await client.query('select id from customers where ssn = 1')
      for (const between of ['do 1', 'select 1', 'set @a = 1', 'begin', "prepare p from 'select id from orders'"]) {
        await client.query(between)
        for (const asking of ['show warnings', 'show count(*) warnings', "execute immediate 'show errors'"])
          expect(await answer(client, asking, false), `${between}, ${asking}`).toContain('are covered')
      }
      // MySQL prepares no such statement.
      if (kind === 'mariadb') {
        await client.query("prepare asking from 'show warnings'")
        expect(await answer(client, 'execute asking', false)).toContain('are covered')
      }
      await client.query('select id from orders limit 1')
      expect(await answer(client, 'show warnings', false)).not.toContain('error:')
      expect(await answer(client, 'select id from orders limit 1; show warnings', false)).toContain('must be sent alone')
    })

    it('left every row as it was', async () => {
      const [row] = (await onMysql(stage.facts, `select * from ${stage.database}.customers where id = 1`)) as RowDataPacket[]
      expect(row).toMatchObject({ name: 'Ada', email: planted.email, ssn: planted.ssn, note: 'first' })
      const copied = (await onMysql(
        stage.facts,
        `select count(*) n from ${stage.database}.numbers where filler in ('${planted.ssn}', '${planted.email}', '${planted.salary}')`,
      )) as RowDataPacket[]
      expect(copied[0]?.['n']).toBe(0)
    })

    it.each(['shop', 'plain'])('let ordinary statements through at %s', async (target) => {
      const client = await stage.client('robot', target)
      const failed: string[] = []
      for (const text of kind === 'mariadb' ? [...mustWork, ...mustWorkAtMariadb] : mustWork) {
        const said = await answer(client, text.replaceAll('$DB', stage.database), false)
        if (said.startsWith('error:')) failed.push(`${text} -> ${said}`)
      }
      expect(failed).toEqual([])
    })

    it('leave nothing of a value in the record, the log or the spool', async () => {
      await wait(1500)
      // Texts that callers wrote themselves hold the values they guessed; the values nobody wrote must be nowhere.
      const unguessed = plantedTexts.filter((text) => !doors.some((door) => door.includes(text)))
      expect(unguessed.length).toBeGreaterThan(2)
      expect(leaksIn(stage.gateway.log(), unguessed)).toEqual([])
      expect(leaksUnder(stage.gateway.home, unguessed)).toEqual([])
    })
  })
})
