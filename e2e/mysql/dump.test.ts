// A whole dump, made by the server's own program through the gateway and loaded by its own client through the gateway: the settings it saves and puts
// back, comments for other versions, views, routines, triggers and events.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mysqlCommand } from '../backends/mysql.js'
import { mysqlKinds, mysqlServer, onMysql } from '../backends/mysql-server.js'
import type { MysqlKind } from '../backends/mysql-server.js'
import { openMysqlStage, type MysqlStage } from '../backends/mysql-stage.js'
import { lacks, program, run, type RunResult } from '../backends/programs.js'
import { planted } from '../backends/samples.js'

const tables = ['customers', 'digits', 'orders', 'scratch', 'staff', 'kinds']
const told = 'select @@sql_mode, @@character_set_client, @@foreign_key_checks, @@unique_checks, @@sql_notes, @@time_zone;\n'

describe.each(mysqlKinds)('at %s', (kind) => {
  describe.skipIf(mysqlServer(kind) === undefined || lacks('mariadb-dump'))('a dump', () => {
    let stage: MysqlStage
    let copy: string

    beforeAll(async () => {
      stage = await openMysqlStage({ kind })
      copy = `${stage.database}_copy`
      await onMysql(stage.facts, `create database ${copy}`)
      const code = [
        'create trigger noted before insert on orders for each row begin set new.total = ifnull(new.total, 0); end',
        'create event tidy on schedule every 1 day do delete from scratch where k is null',
      ]
      for (const statement of code) await onMysql(stage.facts, `use ${stage.database}; ${statement}`)
    })

    afterAll(async () => {
      await onMysql(stage.facts, `drop database ${copy}`)
      await stage.close()
    })

    async function through(command: readonly string[], user: string, args: readonly string[], input = ''): Promise<RunResult> {
      const [name = '', ...before] = command
      const place = ['--no-defaults', '-h', '127.0.0.1', '-P', String(stage.gateway.mysqlPort), '-u', user]
      return run(name, [...before, ...place, ...args], { input, env: { MYSQL_PWD: await stage.token('robot') }, withinMs: 60_000 })
    }

    const client = (of: MysqlKind): readonly string[] => (of === 'mysql' ? (mysqlCommand('bin/mysql') ?? []) : [program('mariadb')])
    const dumper = (of: MysqlKind): readonly string[] =>
      of === 'mysql' ? (mysqlCommand('bin/mysqldump') ?? []) : [program('mariadb-dump')]

    /** These programs name a database only later, so the user names the target. */
    const dump = (target: string, args: readonly string[] = []): Promise<RunResult> =>
      through(dumper(kind), `robot:${target}`, [...(kind === 'mysql' ? ['--set-gtid-purged=OFF'] : []), ...args, stage.database])

    async function sums(database: string): Promise<unknown> {
      const rows = await onMysql(stage.facts, `checksum table ${tables.map((table) => `${database}.${table}`).join(', ')}`)
      return (rows as readonly { readonly Checksum: number }[]).map(({ Checksum }) => Checksum)
    }

    async function definitions(database: string): Promise<unknown> {
      const lists = [
        `select table_name, table_type from information_schema.tables where table_schema = '${database}' order by 1`,
        `select routine_name, routine_type from information_schema.routines where routine_schema = '${database}' order by 1`,
        `select trigger_name from information_schema.triggers where trigger_schema = '${database}'`,
        `select event_name from information_schema.events where event_schema = '${database}'`,
      ]
      return Promise.all(lists.map((list) => onMysql(stage.facts, list)))
    }

    it('goes out and in again whole, and leaves the session as it found it', async () => {
      const made = await dump('plain', ['--routines', '--triggers', '--events', '--hex-blob'])
      expect(made.stderr).toBe('')
      expect(made.code).toBe(0)
      expect(made.stdout).toContain(planted.ssn)
      const loaded = await through(client(kind), 'robot', ['--batch', 'plain'], `${told}use ${copy};\n${made.stdout}\n${told}`)
      expect(loaded.stderr).toBe('')
      expect(loaded.code).toBe(0)
      const [, before, , after] = loaded.stdout.trim().split('\n')
      expect(after).toBe(before)
      expect(await sums(copy)).toEqual(await sums(stage.database))
      expect(await definitions(copy)).toEqual(await definitions(stage.database))
    })

    it('in one transaction goes out as well', async () => {
      const made = await dump('plain', ['--single-transaction', '--skip-extended-insert'])
      expect(made.stderr).toBe('')
      expect(made.code).toBe(0)
    })

    it('of masked tables holds what may be seen', async () => {
      const made = await dump('shop', ['--single-transaction', '--force'])
      expect(made.stdout, made.stderr).toContain('CREATE TABLE `orders`')
      expect(made.stdout).not.toContain(planted.ssn)
      expect(made.stdout).not.toContain(planted.email)
    })
  })
})
