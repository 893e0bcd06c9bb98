// MySQL drivers of other languages against a real MariaDB (`--mysql`: a genuine MySQL) through a real gateway; `--direct` leaves the gateway out, to
// prove the checks themselves. Each driver is fetched by its own package tool into .cache/ and runs a script that prints `ok NAME` or `FAIL NAME: why`.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGateway } from '../backends/gateway.js'
import { startMariadb } from '../backends/mariadb.js'
import { startMysql } from '../backends/mysql.js'
import { onMysql, type MysqlFacts } from '../backends/mysql-server.js'
import { backendPassword } from '../backends/postgres.js'
import { runChecked } from '../backends/programs.js'
import { cache, checkAll, here, longMs, python, type Driver, type Place } from './driver.js'

const drivers: readonly Driver[] = [
  { name: 'pymysql', prepare: () => python('check_pymysql.py', 'pymysql==1.1.2', 'cryptography') },
  {
    name: 'go-sql-driver',
    prepare: async () => {
      const built = join(cache, 'go-sql-driver-check')
      await runChecked('go', ['build', '-o', built, '.'], { cwd: join(here, 'go-sql-driver'), withinMs: longMs })
      return [built]
    },
  },
  {
    name: 'connector-j',
    prepare: async () => {
      const jars = join(cache, 'connector-j', 'jars')
      const goals = ['-q', '-B', '-f', join(here, 'connector-j', 'pom.xml'), 'compile', 'dependency:copy-dependencies']
      await runChecked('mvn', [...goals, `-DoutputDirectory=${jars}`], { withinMs: longMs })
      return ['java', '-cp', `${join(cache, 'connector-j', 'classes')}:${jars}/*`, 'Check']
    },
  },
  {
    name: 'mariadb',
    prepare: async () => {
      const directory = join(cache, 'mariadb-node')
      if (!existsSync(join(directory, 'node_modules', 'mariadb'))) {
        mkdirSync(directory, { recursive: true })
        writeFileSync(join(directory, 'package.json'), '{ "private": true }\n')
        await runChecked('npm', ['install', '--ignore-scripts', '--no-audit', 'mariadb@3.5.4'], {
          cwd: directory,
          withinMs: longMs,
        })
      }
      return ['node', join(here, 'check_mariadb.mjs'), directory]
    },
  },
]

const tables = `
create database drivers; use drivers;
create table digits (d int primary key);
insert into digits values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
create table items (id int primary key, name varchar(40), price decimal(10,2), made datetime(6) default now(6));
insert into items (id, name, price) select n, concat('item ', n), n + 0.5 from (select a.d * 100 + b.d * 10 + c.d + 1 n from digits a, digits b, digits c) s;
create table people (id int primary key, name varchar(40), email varchar(80));
insert into people values (1, 'Ada', 'ada@example.test'), (2, 'Bob', null);
create table notes (id int primary key auto_increment, body longtext);
create table forbidden (id int);
`
const procedure =
  'create procedure drivers.pair(in a int, out b int) begin select a as first; select a + 1 as second; set b = a * 2; end'
const refused = `
create user limited identified by '${backendPassword}';
grant all on drivers.items to limited; grant all on drivers.people to limited; grant all on drivers.notes to limited;
grant execute on drivers.* to limited; grant select on drivers.digits to limited;
`

/** Direct: what is denied through the gateway is what the server's own grants leave out. */
function directly(facts: MysqlFacts): Place {
  const login = {
    CHECK_PORT: String(facts.port),
    CHECK_USER: 'limited',
    CHECK_PASSWORD: backendPassword,
    CHECK_DATABASE: 'drivers',
  }
  const environment = { ...login, CHECK_CA: facts.authorityFile, CHECK_DENIED: '1142', CHECK_EMAIL: 'ada@example.test' }
  return { environment, stop: () => Promise.resolve() }
}

const configuration = (facts: MysqlFacts): string => `
mysql: { serverVersion: "${facts.kind === 'mariadb' ? '5.7.19' : '8.0.40'}" }
identities:
  - { name: robot, kind: agent, groups: [agents] }
targets:
  - name: drivers
    protocol: mysql
    address: 127.0.0.1:${facts.port}
    database: drivers
    tls: require
    credential: { username: ${facts.users.first}, password: { env: DRIVERS_PASSWORD } }
    trust: { functions: [drivers.pair] }
grants:
  - { names: [robot], targets: [drivers] }
rules:
  - { name: nothing-forbidden, what: { objects: ["*.forbidden"] }, then: deny, reason: It is forbidden. }
  - { name: email, what: { columns: ["*.people.email"] }, then: mask, with: partial }
`

async function throughGateway(facts: MysqlFacts): Promise<Place> {
  const gateway = await startGateway(configuration(facts), { env: { DRIVERS_PASSWORD: backendPassword } })
  const authority = join(gateway.home, 'authority-for-drivers.pem')
  const printed = await gateway.cli(['ca'])
  writeFileSync(authority, printed.stdout)
  const login = { CHECK_PORT: String(gateway.mysqlPort), CHECK_USER: 'robot', CHECK_PASSWORD: await gateway.token('robot') }
  const environment = {
    ...login,
    CHECK_DATABASE: 'drivers',
    CHECK_CA: authority,
    CHECK_DENIED: '1227',
    CHECK_EMAIL: 'a***@example.test',
  }
  return { environment, stop: () => gateway.remove() }
}

async function main(): Promise<void> {
  const options = { direct: { type: 'boolean', default: false }, mysql: { type: 'boolean', default: false } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const server = values.mysql ? await startMysql() : await startMariadb()
  if (server === undefined) throw new Error('MySQL is not on this machine; .ci/mysql9 fetches it')
  let place: Place | undefined
  try {
    await onMysql(server.facts, tables)
    await onMysql(server.facts, procedure)
    await onMysql(server.facts, refused)
    place = values.direct ? directly(server.facts) : await throughGateway(server.facts)
    await checkAll(drivers, positionals, place)
  } finally {
    await place?.stop()
    await server.stop()
  }
}

await main()
