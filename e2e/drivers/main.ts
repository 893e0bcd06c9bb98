// Postgres drivers of other languages against a real server through a real gateway; `--direct` leaves the gateway out, to prove the checks themselves.
// Each driver is fetched by its own package tool into .cache/ and runs a script that prints `ok NAME` or `FAIL NAME: why`.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGateway } from '../backends/gateway.js'
import { backendPassword, makeDatabase, postgresAvailable, startPostgres, users, type PostgresFacts } from '../backends/postgres.js'
import { runChecked } from '../backends/programs.js'
import { cache, checkAll, here, longMs, python, type Driver, type Place } from './driver.js'

const drivers: readonly Driver[] = [
  { name: 'psycopg', prepare: () => python('check_psycopg.py', 'psycopg[binary]==3.3.9') },
  { name: 'asyncpg', prepare: () => python('check_asyncpg.py', 'asyncpg==0.32.0') },
  {
    name: 'pgx',
    prepare: async () => {
      const built = join(cache, 'pgx-check')
      await runChecked('go', ['build', '-o', built, '.'], { cwd: join(here, 'pgx'), withinMs: longMs })
      return [built]
    },
  },
  {
    name: 'pgjdbc',
    prepare: async () => {
      const jars = join(cache, 'pgjdbc', 'jars')
      const goals = ['-q', '-B', '-f', join(here, 'pgjdbc', 'pom.xml'), 'compile', 'dependency:copy-dependencies']
      await runChecked('mvn', [...goals, `-DoutputDirectory=${jars}`], { withinMs: longMs })
      return ['java', '-cp', `${join(cache, 'pgjdbc', 'classes')}:${jars}/*`, 'Check']
    },
  },
]

const tables = `
create table items as select n as id, 'item ' || n as name, n + 0.5::numeric(10,2) as price, now() as made from generate_series(1, 1000) n;
alter table items alter price type numeric(10,2);
create table forbidden (id int);
grant select on items to public;
grant all on forbidden to ${users.md5};
`

function directly(facts: PostgresFacts): Place {
  const environment = { CHECK_PORT: String(facts.port), CHECK_USER: users.scram, CHECK_PASSWORD: backendPassword }
  return {
    environment: { ...environment, CHECK_DATABASE: 'drivers', CHECK_CA: facts.authorityFile },
    stop: () => Promise.resolve(),
  }
}

const configuration = (facts: PostgresFacts): string => `
identities:
  - { name: robot, kind: agent, groups: [agents] }
targets:
  - name: drivers
    protocol: postgres
    address: 127.0.0.1:${facts.port}
    database: drivers
    tls: require
    credential: { username: ${users.md5}, password: { env: DRIVERS_PASSWORD } }
grants:
  - { names: [robot], targets: [drivers] }
rules:
  - { name: nothing-forbidden, what: { objects: ["*.forbidden"] }, then: deny, reason: It is forbidden. }
`

async function throughGateway(facts: PostgresFacts): Promise<Place> {
  const gateway = await startGateway(configuration(facts), { env: { DRIVERS_PASSWORD: backendPassword } })
  const authority = join(gateway.home, 'authority-for-drivers.pem')
  const printed = await gateway.cli(['ca'])
  writeFileSync(authority, printed.stdout)
  const environment = { CHECK_PORT: String(gateway.port), CHECK_USER: 'robot', CHECK_PASSWORD: await gateway.token('robot') }
  return { environment: { ...environment, CHECK_DATABASE: 'drivers', CHECK_CA: authority }, stop: () => gateway.remove() }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: { direct: { type: 'boolean', default: false } }, allowPositionals: true })
  const server = await startPostgres(postgresAvailable('system') ? 'system' : 'embedded')
  let place: Place | undefined
  try {
    await makeDatabase(server.facts, 'drivers', tables)
    place = values.direct ? directly(server.facts) : await throughGateway(server.facts)
    await checkAll(drivers, positionals, place)
  } finally {
    await place?.stop()
    await server.stop()
  }
}

await main()
