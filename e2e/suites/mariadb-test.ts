// MariaDB's own test files, each run direct and through the gateway with a policy that allows everything; the outputs are compared.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGateway } from '../backends/gateway.js'
import { startMariadb } from '../backends/mariadb.js'
import { onMysql, type MysqlFacts } from '../backends/mysql-server.js'
import { backendPassword } from '../backends/postgres.js'
import { program, run } from '../backends/programs.js'
import { chooseTestFiles, type TestFiles } from './mariadb-test-files.js'
import { compareOutputs } from './outputs.js'

interface Way {
  readonly name: 'direct' | 'again' | 'sallyport'
  readonly port: number
  readonly user: string
  readonly password: string
}

/** One run of the suite: where everything of it is. */
interface Stage {
  readonly facts: MysqlFacts
  readonly root: string
  readonly directory: string
}

const { values: flags, positionals: named } = parseArgs({
  allowPositionals: true,
  options: {
    keep: { type: 'boolean', default: false },
    'direct-only': { type: 'boolean', default: false },
    every: { type: 'string', default: '1' },
  },
})

const testWithinMs = 20_000
const identity = 'tester'
/** The name the tests use for the database they are in: the target's too. */
const database = 'test'

const configuration = (facts: MysqlFacts): string => `
identities:
  - { name: ${identity}, kind: service, groups: [] }
targets:
  - name: ${database}
    protocol: mysql
    address: 127.0.0.1:${facts.port}
    database: ${database}
    tls: "off"
    credential: { username: ${facts.users.first}, password: { env: BACKEND_PASSWORD } }
grants:
  - { names: [${identity}], targets: [${database}] }
`

/** What one test left behind must not be met by the next. */
async function freshDatabase(facts: MysqlFacts): Promise<void> {
  const left = (await onMysql(
    facts,
    `select concat('kill ', id) as statement from information_schema.processlist where user = '${facts.users.first}'
     union all select concat('drop database \`', replace(schema_name, '\`', '\`\`'), '\`') from information_schema.schemata
     where schema_name not in ('mysql', 'sys', 'information_schema', 'performance_schema')`,
  )) as readonly { readonly statement: string }[]
  for (const { statement } of left)
    await onMysql(facts, statement).catch((error: unknown) => {
      // A session may have ended by itself; a directory may have files that a test made.
      if (!statement.startsWith('kill') && !isCode(error, 'ER_DB_DROP_RMDIR')) throw error
    })
  const rows = (await onMysql(facts, 'select @@datadir as datadir')) as readonly { readonly datadir: string }[]
  for (const { datadir } of rows) rmSync(join(datadir, database), { recursive: true, force: true })
  await onMysql(facts, `create database ${database}`)
}

const isCode = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code

/** Runs a test; its output, with how it ended, is left in a file. Whether it came to its end. */
async function runTest(stage: Stage, way: Way, name: string): Promise<boolean> {
  const scratch = join(stage.directory, 'scratch')
  rmSync(scratch, { recursive: true, force: true })
  mkdirSync(scratch, { mode: 0o777 })
  await freshDatabase(stage.facts)
  const place = [
    '--no-defaults',
    '--protocol=tcp',
    '--host=127.0.0.1',
    `--port=${way.port}`,
    `--user=${way.user}`,
    `--database=${database}`,
  ]
  const files = [`--tmpdir=${scratch}`, `--logdir=${scratch}`, `--prologue=${join(stage.directory, 'prologue')}`]
  const test = `--test-file=${join(stage.root, 'main', `${name}.test`)}`
  const result = await run(program('mariadb-test'), [...place, '--skip-ssl', `--password=${way.password}`, ...files, test], {
    cwd: stage.root,
    withinMs: testWithinMs,
    env: {
      MYSQL_TEST_DIR: stage.root,
      MYSQLTEST_VARDIR: scratch,
      MYSQL_TMP_DIR: scratch,
      MASTER_MYPORT: String(stage.facts.port),
    },
  })
  const ended = result.code === null ? `ended after ${testWithinMs / 1000} s` : `ended with ${result.code}`
  writeFileSync(join(stage.directory, way.name, `${name}.out`), `${result.stdout}\n${result.stderr}\n${ended}\n`)
  return result.code === 0
}

/** Why the gateway did not let a statement pass, less the advice that follows. */
const denial = /^\+.*?denied: (.*?)(?: Write it plainly|[.:]? Session \w+|$)/m

/** The policy allows everything: what is denied is refused on purpose, and whatever else differs is a fault. */
const undenied = 'not denied: an output that differs'

/** Of a long difference, how it begins and how it ends: the last lines tell what the client stopped at. */
const ends = (text: string): string => (text.length < 2400 ? text : `${text.slice(0, 1200)}\n...\n${text.slice(-1200)}`)

function report(chosen: TestFiles, outcome: Outcome): void {
  for (const [name, difference] of outcome.differing) console.log(`--- ${name}\n${ends(difference)}`)
  const byReason = new Map<string, string[]>()
  for (const [file, difference] of outcome.differing) {
    const reason = denial.exec(difference)?.[1] ?? undenied
    byReason.set(reason, [...(byReason.get(reason) ?? []), file.replace(/\.out$/, '')])
  }
  for (const [reason, names] of chosen.ruledOut) console.log(`not chosen, ${reason}: ${names}`)
  for (const [reason, names] of byReason) console.log(`differ (${names.length}), ${reason}: ${names.join(' ')}`)
  console.log(`do not pass direct: ${outcome.failing.join(' ')}`)
  console.log(`say something else each time, direct too: ${outcome.volatile.join(' ') || 'none'}`)
  const skipped = outcome.failing.length + outcome.volatile.length
  const unexpected = byReason.get(undenied)?.length ?? 0
  console.log(
    `mariadb-test: ${outcome.same} same, ${outcome.differing.size - unexpected} refused on purpose, ${unexpected} different, ` +
      `${skipped} skipped, ${outcome.seconds.toFixed(0)} s`,
  )
  if (unexpected > 0 || outcome.same <= 0) process.exitCode = 1
}

interface Outcome {
  readonly same: number
  readonly differing: ReadonlyMap<string, string>
  /** Do not come to their end on this server, so there is nothing to compare. */
  readonly failing: readonly string[]
  readonly volatile: readonly string[]
  readonly seconds: number
}

async function runAll(stage: Stage, names: readonly string[], direct: Way, through: Way | undefined): Promise<Outcome> {
  const began = Date.now()
  const failing: string[] = []
  const volatile: string[] = []
  for (const way of ['direct', 'again', 'sallyport']) mkdirSync(join(stage.directory, way))
  for (const name of names) {
    if (!(await runTest(stage, direct, name))) {
      failing.push(name)
      rmSync(join(stage.directory, 'direct', `${name}.out`))
    } else await runTest(stage, through ?? { ...direct, name: 'sallyport' }, name)
  }
  const places = ['direct', 'again', 'sallyport'].map((way) => join(stage.directory, way)) as [string, string, string]
  const differing = new Map(await compareOutputs(places[0], places[2]))
  for (const file of differing.keys()) await runTest(stage, { ...direct, name: 'again' }, file.replace(/\.out$/, ''))
  for (const file of (await compareOutputs(places[1], places[0])).keys()) {
    volatile.push(file.replace(/\.out$/, ''))
    differing.delete(file)
  }
  const same = names.length - failing.length - volatile.length - differing.size
  return { same, differing, failing, volatile, seconds: (Date.now() - began) / 1000 }
}

async function main(): Promise<void> {
  const files = chooseTestFiles()
  const every = Math.max(1, Number(flags.every) || 1)
  const names = named.length > 0 ? named : files.chosen.filter((_, index) => index % every === 0)
  console.log(`${names.length} test files, of ${files.chosen.length} chosen by rule`)
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-mariadb-test-'))
  // The gateway asks for utf8mb4 whatever the client asks for; so the client does, both ways.
  writeFileSync(join(directory, 'prologue'), '--disable_query_log\nset names utf8mb4;\n--enable_query_log\n')
  const server = await startMariadb()
  try {
    const stage = { facts: server.facts, root: files.root, directory }
    const direct: Way = { name: 'direct', port: server.facts.port, user: server.facts.users.first, password: backendPassword }
    const gateway = await startGateway(configuration(server.facts), { env: { BACKEND_PASSWORD: backendPassword } })
    try {
      const token = await gateway.token(identity)
      const through: Way = { name: 'sallyport', port: gateway.mysqlPort, user: identity, password: token }
      report(files, await runAll(stage, names, direct, flags['direct-only'] ? undefined : through))
    } finally {
      await gateway.remove()
    }
  } finally {
    await server.stop()
  }
  if (flags.keep) console.log(`kept in ${directory}`)
  else rmSync(directory, { recursive: true, force: true })
}

await main()
