// PostgreSQL's own regression suite, run direct and through the gateway with a policy that allows everything; the outputs are compared.

import { spawn } from 'node:child_process'
import { chmodSync, cpSync, createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGateway } from '../backends/gateway.js'
import { onServer, startPostgres, users, type PostgresFacts } from '../backends/postgres.js'
import { runChecked, serverUser, systemPostgres } from '../backends/programs.js'
import { compareOutputs } from './outputs.js'
import { fetchRegressSource, type RegressSource } from './regress-source.js'

interface Run {
  readonly results: string
  readonly ok: readonly string[]
  readonly differing: readonly string[]
  readonly seconds: number
}

interface Way {
  readonly name: 'direct' | 'sallyport'
  readonly port: number
  readonly environment: Readonly<Record<string, string>>
}

const { values: flags } = parseArgs({
  options: { keep: { type: 'boolean', default: false }, 'direct-only': { type: 'boolean', default: false } },
})

/** The targets are named as the databases that the suite connects to. */
const configuration = (facts: PostgresFacts): string => `
identities:
  - { name: ${users.superuser}, kind: service, groups: [] }
targets:
${['postgres', 'regression']
  .map(
    (name) => `  - name: ${name}
    protocol: postgres
    address: 127.0.0.1:${facts.port}
    database: ${name}
    tls: "off"
    credential: { username: ${users.superuser}, password: { env: REGRESS_PASSWORD } }
`,
  )
  .join('')}grants:
  - { names: [${users.superuser}], targets: [postgres, regression] }
`

async function runSuite(way: Way, directory: string): Promise<Run> {
  const output = join(directory, way.name)
  mkdirSync(output, { recursive: true })
  await runChecked('chmod', ['-R', 'a+rwX', directory])
  const began = Date.now()
  const args = [
    `--inputdir=${join(directory, 'inputs')}`,
    `--outputdir=${output}`,
    `--dlpath=${join(directory, 'libraries')}`,
    `--schedule=${join(directory, 'inputs', 'parallel_schedule')}`,
    `--bindir=${systemPostgres()}`,
    '--host=127.0.0.1',
    `--port=${way.port}`,
    `--user=${users.superuser}`,
    '--max-concurrent-tests=20',
  ]
  const log = createWriteStream(join(output, 'pg_regress.log'))
  const child = spawn(join(directory, 'pg_regress'), args, {
    ...serverUser,
    cwd: output,
    env: { ...process.env, ...way.environment },
  })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
    log.write(chunk)
  })
  child.stderr.pipe(log)
  await new Promise((done) => child.once('close', done))
  const words = (state: string): readonly string[] =>
    [...printed.matchAll(new RegExp(`^(?:test|    )\\s*(\\S+)\\s+\\.\\.\\. ${state}`, 'gm'))].map((match) => match[1] ?? '')
  if (!existsSync(join(output, 'results'))) throw new Error(`the suite did not run ${way.name}:\n${printed}`)
  return { results: join(output, 'results'), ok: words('ok'), differing: words('FAILED'), seconds: (Date.now() - began) / 1000 }
}

/** Refused whatever the rules say, so a test that begins with one of them goes on differently. */
const refusals = /^\+ERROR: {2}denied: (?:standard_conforming_strings must stay on|FunctionCall messages)/m

function report(source: RegressSource, direct: Run, through: Run, differences: ReadonlyMap<string, string>): void {
  for (const [name, difference] of differences) console.log(`--- ${name}\n${difference.slice(0, 3000)}`)
  for (const [name, one] of [
    ['direct', direct],
    ['sallyport', through],
  ] as const)
    console.log(
      `${name}: ${one.ok.length} as expected, ${one.differing.length} not (${one.differing.join(' ')}), ${one.seconds.toFixed(0)} s`,
    )
  const refused = [...differences].filter(([, difference]) => refusals.test(difference)).map(([name]) => name)
  const others = differences.size - refused.length
  const same = direct.ok.length + direct.differing.length - differences.size
  console.log(
    `PostgreSQL ${source.version}: outputs through the gateway that differ from direct: ${[...differences.keys()].join(' ') || 'none'}`,
  )
  console.log(`of these begin with something the gateway refuses on purpose: ${refused.join(' ') || 'none'}`)
  console.log(`pg_regress: ${same} passed, ${others} failed, ${refused.length} skipped`)
  if (others > 0 || same <= 0) process.exitCode = 1
}

async function throughGateway(directory: string): Promise<Run> {
  const server = await startPostgres('system')
  try {
    const gateway = await startGateway(configuration(server.facts), { env: { REGRESS_PASSWORD: 'not-asked-for' } })
    try {
      const environment = { PGPASSWORD: await gateway.token(users.superuser) }
      return await runSuite({ name: 'sallyport', port: gateway.port, environment }, directory)
    } finally {
      await gateway.remove()
    }
  } finally {
    await server.stop()
  }
}

async function main(): Promise<void> {
  const source = await fetchRegressSource()
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-regress-'))
  chmodSync(directory, 0o777)
  cpSync(source.inputs, join(directory, 'inputs'), { recursive: true })
  cpSync(source.libraries, join(directory, 'libraries'), { recursive: true })
  cpSync(source.pgRegress, join(directory, 'pg_regress'))
  const server = await startPostgres('system')
  let direct: Run
  try {
    await onServer(server.facts, 'postgres', 'select 1')
    direct = await runSuite({ name: 'direct', port: server.facts.port, environment: {} }, directory)
  } finally {
    await server.stop()
  }
  const through = flags['direct-only'] ? direct : await throughGateway(directory)
  report(source, direct, through, await compareOutputs(direct.results, through.results))
  if (flags.keep) console.log(`kept in ${directory}`)
  else rmSync(directory, { recursive: true, force: true })
}

await main()
