// npm run bench -- mysql [--quick] [--rounds N] [--seconds N] [--only TEXT] [--mysql] [--json FILE]
// sysbench direct, through haproxy (TCP) and through Sallyport, interleaved in one run, several rounds, the median of each; ratios in one table.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGateway } from '../backends/gateway.js'
import { startMariadb } from '../backends/mariadb.js'
import { startMysql } from '../backends/mysql.js'
import { onMysql, type MysqlFacts } from '../backends/mysql-server.js'
import { backendPassword, freePort } from '../backends/postgres.js'
import { findProgram, program, runChecked } from '../backends/programs.js'
import { cpuSeconds, measureAll, type Measure } from './load.js'
import { answers } from './paths.js'
import { printCompared } from './report.js'
import { waitFor } from '../backends/psql.js'

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    /** Loads whose name holds this. */
    only: { type: 'string' },
    /** A genuine MySQL in place of MariaDB. */
    mysql: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3))
const seconds = Number(flags.seconds ?? (flags.quick ? 2 : 4))
const rows = 10_000

interface Way {
  readonly name: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** The process whose CPU time counts. */
  readonly pid?: number
  stop(): Promise<void>
}

interface Load {
  readonly name: string
  readonly clients: number
  readonly script: string
  readonly args: readonly string[]
}

/** sysbench sends text, or prepares each of its statements once (its default). */
const text = ['--db-ps-mode=disable']
const loads: readonly Load[] = [1, 8].flatMap((clients) => [
  { name: 'point select, text', clients, script: 'oltp_point_select', args: text },
  { name: 'point select, prepared', clients, script: 'oltp_point_select', args: [] },
  { name: 'read-write, text', clients, script: 'oltp_read_write', args: text },
  { name: 'read-write, prepared', clients, script: 'oltp_read_write', args: [] },
])

function connectionArgs({ port, user, password }: Way): readonly string[] {
  const place = ['--mysql-host=127.0.0.1', `--mysql-port=${port}`, `--mysql-user=${user}`, `--mysql-password=${password}`]
  return [...place, '--mysql-db=bench', `--table-size=${rows}`, '--tables=1', '--db-driver=mysql']
}

async function haproxyWay(direct: Way, directory: string): Promise<Way | undefined> {
  const command = findProgram('haproxy')
  if (command === undefined) return undefined
  const port = await freePort()
  const file = join(directory, 'haproxy.cfg')
  const limits = 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n'
  writeFileSync(
    file,
    `global\n  nbthread 1\n${limits}listen bench\n  bind 127.0.0.1:${port}\n  server one 127.0.0.1:${direct.port}\n`,
  )
  const child = spawn(command, ['-db', '-f', file], { stdio: 'ignore' })
  const ended = new Promise((done) => child.once('exit', done))
  await waitFor(
    () => answers(port),
    10_000,
    () => 'haproxy',
  )
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { ...direct, name: 'haproxy', port, pid: child.pid ?? 0, stop }
}

const configuration = (facts: MysqlFacts): string => `
identities:
  - { name: robot, kind: agent, groups: [agents] }
  - { name: dana, kind: person, groups: [dba] }
targets:
  - name: bench
    protocol: mysql
    address: 127.0.0.1:${facts.port}
    database: bench
    tls: "off"
    credential: { username: ${facts.users.first}, password: { env: BENCH_PASSWORD } }
grants:
  - { groups: [agents], targets: [bench] }
rules:
  - { name: no-schema-changes, who: { kind: agent }, what: { access: [schema, admin] }, then: deny, reason: Not by agents. }
  - { name: unbounded-writes, what: { verbs: [update, delete], bounded: false }, then: review, reviewers: { groups: [dba], count: 1 }, within: 15m }
  - { name: personal-data, what: { columns: ["*.people.email"] }, then: mask, with: redact }
`

/** The gateway with everything on: rules of each kind that apply to the statements run here, and recording. */
async function sallyportWay(facts: MysqlFacts): Promise<Way> {
  const gateway = await startGateway(configuration(facts), { env: { BENCH_PASSWORD: backendPassword } })
  const password = await gateway.token('robot')
  return { name: 'sallyport', port: gateway.mysqlPort, user: 'robot', password, pid: gateway.pid(), stop: () => gateway.remove() }
}

async function sysbench(way: Way, load: Load): Promise<Measure> {
  const run = [`--threads=${load.clients}`, `--time=${seconds}`, '--histogram=on', ...load.args]
  const before = cpuSeconds(way.pid)
  const printed = await runChecked(program('sysbench'), [load.script, ...connectionArgs(way), ...run, 'run'], {
    withinMs: 60_000 + seconds * 1000,
  })
  const cpu = cpuSeconds(way.pid) - before
  const [, count = '0', rate = '0'] = /queries:\s+(\d+)\s+\(([\d.]+) per sec/.exec(printed) ?? []
  return {
    perSecond: Number(rate),
    p50Ms: percentile(printed, 0.5),
    p99Ms: percentile(printed, 0.99),
    cpuUs: (cpu * 1e6) / Math.max(1, Number(count)),
  }
}

/** From the histogram: `   0.214 |****** 1234`, time of a transaction and how often it was met. */
function percentile(printed: string, share: number): number {
  const found = [...printed.matchAll(/^\s*([\d.]+) \|\**\s+(\d+)$/gm)].map(
    ([, value, count]) => [Number(value), Number(count)] as const,
  )
  let left = found.reduce((sum, [, count]) => sum + count, 0) * share
  for (const [value, count] of found) {
    left -= count
    if (left <= 0) return value
  }
  return 0
}

async function fill(facts: MysqlFacts, direct: Way): Promise<void> {
  await onMysql(facts, 'create database bench')
  await runChecked(program('sysbench'), ['oltp_read_write', ...connectionArgs(direct), 'prepare'], { withinMs: 120_000 })
  await onMysql(facts, 'set global general_log = 0; create table bench.people (id int primary key, email varchar(80))')
}

async function main(): Promise<void> {
  if (findProgram('sysbench') === undefined) throw new Error('sysbench is not on this machine (Debian: apt-get install sysbench)')
  const server = flags.mysql ? await startMysql() : await startMariadb()
  if (server === undefined) throw new Error('MySQL is not on this machine; .ci/mysql9 fetches it')
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
  const ways: Way[] = []
  try {
    const { facts } = server
    const direct: Way = {
      name: 'direct',
      port: facts.port,
      user: facts.users.first,
      password: backendPassword,
      stop: () => Promise.resolve(),
    }
    await fill(facts, direct)
    ways.push(direct)
    const haproxy = await haproxyWay(direct, directory)
    if (haproxy === undefined) console.log('missing: haproxy; compared with the direct path only')
    else ways.push(haproxy)
    ways.push(await sallyportWay(facts))
    const results = await measureAll(
      ways,
      loads.filter(({ name }) => name.includes(flags.only ?? '')),
      rounds,
      sysbench,
    )
    const setting = { server: `${facts.kind} ${facts.version}`, node: process.version, cores: cpus().length, rounds, seconds }
    console.log(
      `${setting.server}, Node ${setting.node}, ${setting.cores} cores; median of ${rounds} rounds of ${seconds} s; queries a second; ` +
        'latency of a transaction added to direct; CPU of the process for each query',
    )
    printCompared(results, 'haproxy')
    if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify({ setting, results }, null, 2))
  } finally {
    for (const way of ways) await way.stop()
    rmSync(directory, { recursive: true, force: true })
    await server.stop()
  }
}

await main()
