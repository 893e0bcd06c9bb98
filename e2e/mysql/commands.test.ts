// The command's own ways to a MySQL target: its list, `connect`, `run`, `policy explain`.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openMysqlStage, type MysqlStage } from '../backends/mysql-stage.js'
import { lacks } from '../backends/programs.js'

describe.skipIf(lacks('mariadbd'))('for a MySQL target', () => {
  let stage: MysqlStage

  beforeAll(async () => {
    stage = await openMysqlStage()
  })

  afterAll(() => stage.close())

  it('targets gives a ready connection string', async () => {
    const token = await stage.token('robot')
    const told = await stage.gateway.cli(['targets', '--json'], { as: token })
    const targets = JSON.parse(told.stdout) as readonly { name: string; connection: string }[]
    expect(targets.find(({ name }) => name === 'shop')?.connection).toBe(
      `mysql://robot:TOKEN@127.0.0.1:${stage.gateway.mysqlPort}/shop`,
    )
  })

  it('connect runs the client over verified TLS, the token in its environment alone', async () => {
    const token = await stage.token('robot')
    const told = await stage.gateway.cli(
      ['connect', 'shop', '--', '--batch', '-e', "select email from customers where id = 1; show status like 'Ssl_version'"],
      { as: token },
    )
    expect(told.stderr).toBe('')
    expect(told.stdout).toContain('a***@example.test')
    expect(told.code).toBe(0)
  })

  it('run gives what scripts need', async () => {
    const token = await stage.token('robot')
    const told = await stage.gateway.cli(
      ['run', '--', 'sh', '-c', 'mariadb --no-defaults -h "$MYSQL_HOST" -u "$MYSQL_USER" --batch -e "select 6 * 7" shop'],
      { as: token },
    )
    expect(told.stdout).toContain('42')
  })

  it('policy explain says what the rules would do', async () => {
    const explain = async (statement: string): Promise<string> =>
      (await stage.gateway.cli(['policy', 'explain', '--identity', 'robot', '--target', 'shop', '--statement', statement])).stdout
    expect(await explain('drop table orders')).toContain('no-schema-changes')
    expect(await explain('select ssn from customers')).toContain('mask')
    expect(await explain('update customers set note = ssn')).toContain('deny')
  })
})
