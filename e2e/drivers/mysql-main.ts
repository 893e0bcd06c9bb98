// MySQL drivers of other languages against a real MariaDB (`--mysql`: a genuine MySQL) through a real gateway; `--direct` leaves the gateway out, to
// prove the checks themselves. Each driver is fetched by its own package tool into .cache/ and runs a script that prints `ok NAME` or `FAIL NAME: why`.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startMariadb } from '../backends/mariadb.js'
import { startMysql } from '../backends/mysql.js'
import { onMysql, type MysqlFacts } from '../backends/mysql-server.js'
import { backendPassword } from '../backends/postgres.js'
import { runChecked } from '../backends/programs.js'
import { cache, checkAll, go, here, longMs, maven, python, wantedOf, type Driver, type Ready } from './driver.js'

const drivers: readonly Driver[] = [
  { name: 'pymysql', prepare: () => python('check_pymysql.py', 'pymysql==1.1.2', 'cryptography') },
  { name: 'go-sql-driver', prepare: () => go('go-sql-driver') },
  { name: 'connector-j', prepare: () => maven('connector-j') },
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
const ready = (facts: MysqlFacts): Ready => ({
  direct: {
    CHECK_PORT: String(facts.port),
    CHECK_USER: 'limited',
    CHECK_PASSWORD: backendPassword,
    CHECK_CA: facts.authorityFile,
    CHECK_DENIED: '1142',
    CHECK_EMAIL: 'ada@example.test',
  },
  through: (gateway) => ({ CHECK_PORT: String(gateway.mysqlPort), CHECK_DENIED: '1227', CHECK_EMAIL: 'a***@example.test' }),
  target: `protocol: mysql, address: "127.0.0.1:${facts.port}", trust: { functions: [drivers.pair] }, credential: { username: ${facts.users.first}, password: { env: DRIVERS_PASSWORD } }`,
  rules: '  - { name: email, what: { columns: ["*.people.email"] }, then: mask, with: partial }\n',
  rest: `mysql: { serverVersion: "${facts.kind === 'mariadb' ? '5.7.19' : '8.0.40'}" }`,
})

const { wanted, direct, genuine } = wantedOf(drivers)
const server = genuine ? await startMysql() : await startMariadb()
if (server === undefined) throw new Error('MySQL is not on this machine; .ci/mysql9 fetches it')
try {
  for (const sql of [tables, procedure, refused]) await onMysql(server.facts, sql)
  await checkAll(wanted, ready(server.facts), direct)
} finally {
  await server.stop()
}
