// Postgres drivers of other languages against a real server through a real gateway; `--direct` leaves the gateway out, to prove the checks themselves.
// Each driver is fetched by its own package tool into .cache/ and runs a script that prints `ok NAME` or `FAIL NAME: why`.

import { backendPassword, makeDatabase, postgresAvailable, startPostgres, users } from '../backends/postgres.js'
import type { PostgresFacts } from '../backends/postgres.js'
import { checkAll, go, maven, python, wantedOf, type Driver, type Ready } from './driver.js'

const drivers: readonly Driver[] = [
  { name: 'psycopg', prepare: () => python('check_psycopg.py', 'psycopg[binary]==3.3.9') },
  { name: 'asyncpg', prepare: () => python('check_asyncpg.py', 'asyncpg==0.32.0') },
  { name: 'pgx', prepare: () => go('pgx') },
  { name: 'pgjdbc', prepare: () => maven('pgjdbc') },
]

const tables = `
create table items as select n as id, 'item ' || n as name, n + 0.5::numeric(10,2) as price, now() as made from generate_series(1, 1000) n;
alter table items alter price type numeric(10,2);
create table forbidden (id int);
grant select on items to public;
grant all on forbidden to ${users.md5};
`

const ready = (facts: PostgresFacts): Ready => ({
  direct: {
    CHECK_PORT: String(facts.port),
    CHECK_USER: users.scram,
    CHECK_PASSWORD: backendPassword,
    CHECK_CA: facts.authorityFile,
  },
  through: (gateway) => ({ CHECK_PORT: String(gateway.port) }),
  target: `protocol: postgres, address: "127.0.0.1:${facts.port}", credential: { username: ${users.md5}, password: { env: DRIVERS_PASSWORD } }`,
})

const { wanted, direct } = wantedOf(drivers)
const server = await startPostgres(postgresAvailable('system') ? 'system' : 'embedded')
try {
  await makeDatabase(server.facts, 'drivers', tables)
  await checkAll(wanted, ready(server.facts), direct)
} finally {
  await server.stop()
}
