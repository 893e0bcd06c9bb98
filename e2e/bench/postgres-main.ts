// npm run bench [-- --quick] [--rounds N] [--seconds N] [--without-memory] [--json FILE]
// Direct, pgbouncer, a bare pipe in Node and Sallyport interleaved in one run, several rounds, the median of each; ratios in one table.

import { writeFileSync } from 'node:fs'
import { tmpdir, cpus } from 'node:os'
import { join } from 'node:path'
import { mkdtempSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { makeDatabase, onServer, postgresAvailable, startPostgres, users, type PostgresFacts } from '../backends/postgres.js'
import { lacks, program, runChecked } from '../backends/programs.js'
import { measureAll, pgbench, type Load } from './load.js'
import { measureMemory, type MemoryUse } from './memory.js'
import { databaseName, directPath, pgbouncerPath, pipePath, sallyportPath, type Path } from './paths.js'
import { printReport } from './report.js'

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    'without-memory': { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3))
const seconds = Number(flags.seconds ?? (flags.quick ? 1 : 2))

function loads(directory: string): readonly Load[] {
  const script = (name: string, sql: string): readonly string[] => {
    const file = join(directory, `${name}.sql`)
    writeFileSync(file, sql)
    return ['-f', file]
  }
  const selects = ['simple', 'extended', 'prepared'].flatMap((mode) =>
    [1, 8, 32].map((clients) => ({ name: `select, ${mode}`, clients, args: ['-S', '-M', mode], seconds })),
  )
  return [
    ...selects,
    { name: 'bulk, 20,000 rows', clients: 1, args: script('bulk', 'select * from plain;\n'), seconds },
    { name: 'bulk, a column masked', clients: 1, args: script('masked', 'select * from people;\n'), seconds },
    { name: 'connect', clients: 1, args: ['-C', ...script('connect', 'select 1;\n')], seconds },
  ]
}

async function fill(facts: PostgresFacts): Promise<void> {
  await makeDatabase(facts, databaseName, '')
  await onServer(facts, 'postgres', `alter database ${databaseName} set log_statement = 'none'`)
  await onServer(facts, 'postgres', `grant all on database ${databaseName} to ${users.scram}`)
  const url = `postgresql://${users.superuser}@127.0.0.1:${facts.port}/${databaseName}`
  await runChecked(program('pgbench'), ['-i', '-q', '-s', '10', url], { withinMs: 120_000 })
  const columns = `n as id, 'person ' || n as name, 'p' || n || '@example.test' as email, md5(n::text) as note, now() as seen`
  for (const table of ['people', 'plain'])
    await onServer(facts, databaseName, `create table ${table} as select ${columns} from generate_series(1, 20000) n`)
  await onServer(facts, databaseName, 'grant all on all tables in schema public to public; grant usage on schema public to public')
  await onServer(facts, databaseName, 'vacuum analyze')
}

async function main(): Promise<void> {
  if (lacks('pgbench')) throw new Error('pgbench is not on this machine; .ci/provision says how to get it')
  const began = Date.now()
  const sessions = flags.quick ? 200 : 1000
  const server = await startPostgres(postgresAvailable('system') ? 'system' : 'embedded', sessions + 150)
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
  const open: Path[] = []
  try {
    await fill(server.facts)
    const sallyport = await sallyportPath(server.facts)
    open.push(directPath(server.facts))
    const pgbouncer = await pgbouncerPath(server.facts)
    if (pgbouncer === undefined) console.log('missing: pgbouncer; compared with the direct path only')
    else open.push(pgbouncer)
    open.push(await pipePath(server.facts), sallyport)
    const results = await measureAll(open, loads(directory), rounds, pgbench)
    let memory: MemoryUse | undefined
    if (!flags['without-memory']) {
      const password = new URL(sallyport.url).password
      memory = await measureMemory(sallyport.gateway, password, sessions, flags.quick ? 200 : 1000)
    }
    const setting = {
      postgres: server.facts.major,
      node: process.version,
      cores: cpus().length,
      rounds,
      seconds,
      tookSeconds: (Date.now() - began) / 1000,
    }
    printReport(setting, results, memory)
    if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify({ setting, results, memory }, null, 2))
  } finally {
    for (const path of open) await path.stop()
    rmSync(directory, { recursive: true, force: true })
    await server.stop()
  }
}

await main()
