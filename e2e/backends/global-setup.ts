// Starts the real servers once for a whole run, and stops them at its end. Tests read where they are with `inject`.

import { startMariadb } from './mariadb.js'
import { startMysql } from './mysql.js'
import type { MysqlFacts } from './mysql-server.js'
import { lacks, programVersions } from './programs.js'
import { postgresAvailable, startPostgres, type PostgresFacts, type PostgresKind, type PostgresServer } from './postgres.js'
import type { ProvidedContext } from 'vitest'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    postgres: readonly PostgresFacts[]
    mariadb: MysqlFacts | undefined
    mysql: MysqlFacts | undefined
  }
}

const kinds: readonly PostgresKind[] = ['system', 'embedded']

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers: PostgresServer[] = []
  for (const kind of kinds) {
    if (postgresAvailable(kind)) servers.push(await startPostgres(kind))
    else console.log(`missing: the ${kind} PostgreSQL server; its tests are skipped`)
  }
  const mariadb = lacks('mariadbd', 'mariadb-install-db', 'mariadb') ? undefined : await startMariadb()
  const mysql = await startMysql()
  console.log(
    mysql === undefined ? 'missing: MySQL (.ci/mysql9 fetches it); its tests are skipped' : `MySQL ${mysql.facts.version}`,
  )
  for (const line of await programVersions()) console.log(line)
  const facts: ProvidedContext['postgres'] = servers.map((server) => server.facts)
  project.provide('postgres', facts)
  project.provide('mariadb', mariadb?.facts)
  project.provide('mysql', mysql?.facts)
  return async () => {
    await mariadb?.stop()
    await mysql?.stop()
    for (const server of servers) await server.stop()
  }
}
