// What the checks of all drivers share: fetching them by their own package tools into .cache/, running them, counting what they print.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGateway, type Gateway } from '../backends/gateway.js'
import { backendPassword } from '../backends/postgres.js'
import { checkout, run, runChecked } from '../backends/programs.js'

type Command = readonly [command: string, ...args: string[]]

export interface Driver {
  readonly name: string
  /** Fetches and builds what the check needs, and gives back the command that runs it. */
  prepare(): Promise<Command>
}

export const here = join(checkout, 'e2e', 'drivers')
export const cache = join(checkout, '.cache')
export const longMs = 300_000

export async function python(script: string, ...packages: readonly string[]): Promise<Command> {
  const environment = join(cache, 'python')
  const command = join(environment, 'bin', 'python')
  if (!existsSync(command)) await runChecked('python3', ['-m', 'venv', environment], { withinMs: longMs })
  await runChecked(command, ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', ...packages], { withinMs: longMs })
  return [command, join(here, script)]
}

/** The Go program in the directory of this name. */
export async function go(name: string): Promise<Command> {
  const built = join(cache, `${name}-check`)
  await runChecked('go', ['build', '-o', built, '.'], { cwd: join(here, name), withinMs: longMs })
  return [built]
}

/** The Java program in the directory of this name. */
export async function maven(name: string): Promise<Command> {
  const jars = join(cache, name, 'jars')
  const goals = ['-q', '-B', '-f', join(here, name, 'pom.xml'), 'compile', 'dependency:copy-dependencies']
  await runChecked('mvn', [...goals, `-DoutputDirectory=${jars}`], { withinMs: longMs })
  return ['java', '-cp', `${join(cache, name, 'classes')}:${jars}/*`, 'Check']
}

type Environment = Readonly<Record<string, string>>

/** A server that is ready for the checks, as they are to meet it. */
export interface Ready {
  /** What the checks are told to meet the server itself, and to meet it through the gateway. */
  readonly direct: Environment
  readonly through: (gateway: Gateway) => Environment
  /** The target `drivers` as sallyport.yaml has it, less its name; rules and whatever else is there for this protocol. */
  readonly target: string
  readonly rules?: string
  readonly rest?: string
}

const configuration = ({ target, rules = '', rest = '' }: Ready): string => `${rest}
identities:
  - { name: robot, kind: agent, groups: [agents] }
targets:
  - { name: drivers, ${target}, database: drivers, tls: require }
grants:
  - { names: [robot], targets: [drivers] }
rules:
  - { name: nothing-forbidden, what: { objects: ["*.forbidden"] }, then: deny, reason: It is forbidden. }
${rules}`

async function check(driver: Driver, environment: Environment): Promise<{ readonly passed: number; readonly failed: number }> {
  const [command, ...args] = await driver.prepare()
  const result = await run(command, args, {
    env: { CHECK_HOST: '127.0.0.1', CHECK_DATABASE: 'drivers', ...environment },
    withinMs: longMs,
  })
  const passed = result.stdout.match(/^ok .*$/gm)?.length ?? 0
  const faults: string[] = [...(result.stdout.match(/^FAIL .*$/gm) ?? [])]
  if (result.code !== 0 && faults.length === 0)
    faults.push(`FAIL ${driver.name} ended with ${result.code}: ${result.stderr.slice(-2000)}`)
  console.log(`${faults.length === 0 ? 'PASS' : 'FAIL'} ${driver.name}: ${passed} of ${passed + faults.length} checks`)
  for (const fault of faults) console.log(`  ${fault}`)
  return { passed, failed: faults.length }
}

/** Of `[--direct] [--mysql] [DRIVER...]`; all drivers where none is named. */
export function wantedOf(drivers: readonly Driver[]) {
  const options = { direct: { type: 'boolean', default: false }, mysql: { type: 'boolean', default: false } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const wanted = drivers.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  return { wanted, direct: values.direct, genuine: values.mysql }
}

/** Checks the drivers, through a gateway where not `direct`; says how many checks passed. */
export async function checkAll(drivers: readonly Driver[], ready: Ready, direct: boolean): Promise<void> {
  if (direct) return checkEach(drivers, ready.direct)
  const gateway = await startGateway(configuration(ready), { env: { DRIVERS_PASSWORD: backendPassword } })
  try {
    const authority = join(gateway.home, 'authority-for-drivers.pem')
    writeFileSync(authority, (await gateway.cli(['ca'])).stdout)
    const login = { CHECK_USER: 'robot', CHECK_PASSWORD: await gateway.token('robot'), CHECK_CA: authority }
    await checkEach(drivers, { ...login, ...ready.through(gateway) })
  } finally {
    await gateway.remove()
  }
}

async function checkEach(drivers: readonly Driver[], environment: Environment): Promise<void> {
  mkdirSync(cache, { recursive: true })
  let passed = 0
  let failed = 0
  for (const driver of drivers) {
    const counted = await check(driver, environment)
    passed += counted.passed
    failed += counted.failed
  }
  console.log(`drivers: ${passed} passed, ${failed} failed`)
  if (failed > 0 || passed === 0) process.exitCode = 1
}
