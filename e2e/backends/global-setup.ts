// Starts the real servers once for a whole run, and stops them at its end. Tests read where they are with `inject`.

import { startMariadb } from './mariadb.js'
import { startMysql } from './mysql.js'
import type { MysqlFacts } from './mysql-server.js'
import { lacks, programVersions } from './programs.js'
import { postgresAvailable, startPostgres, type PostgresFacts, type PostgresKind } from './postgres.js'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    postgres: readonly PostgresFacts[]
    mariadb: MysqlFacts | undefined
    mysql: MysqlFacts | undefined
  }
}

const kinds: readonly PostgresKind[] = ['system', 'embedded']

/** What was started is stopped again, also where something else could not be started. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  for (const kind of kinds)
    if (!postgresAvailable(kind)) console.log(`missing: the ${kind} PostgreSQL server; its tests are skipped`)
  const postgres = kinds.filter(postgresAvailable).map((kind) => startPostgres(kind))
  const mariadb = lacks('mariadbd', 'mariadb-install-db', 'mariadb') ? Promise.resolve(undefined) : startMariadb()
  const mysql = startMysql()
  const starting = [...postgres, mariadb, mysql]
  const stop = async (): Promise<void> => {
    for (const one of await Promise.allSettled(starting)) if (one.status === 'fulfilled') await one.value?.stop()
  }
  try {
    await Promise.all(starting)
  } catch (error) {
    await stop()
    throw error
  }
  const servers = await Promise.all(postgres)
  project.provide(
    'postgres',
    servers.map(({ facts }) => facts),
  )
  project.provide('mariadb', (await mariadb)?.facts)
  const facts = (await mysql)?.facts
  project.provide('mysql', facts)
  console.log(facts === undefined ? 'missing: MySQL (.ci/mysql9 fetches it); its tests are skipped' : `MySQL ${facts.version}`)
  for (const line of await programVersions()) console.log(line)
  return stop
}
