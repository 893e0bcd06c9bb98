// What the checks of all drivers share: fetching them by their own package tools into .cache/, running them, counting what they print.

import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { checkout, run, runChecked } from '../backends/programs.js'

export interface Driver {
  readonly name: string
  /** Fetches and builds what the check needs, and gives back the command that runs it. */
  prepare(): Promise<readonly [command: string, ...args: string[]]>
}

export const here = join(checkout, 'e2e', 'drivers')
export const cache = join(checkout, '.cache')
export const longMs = 300_000

export async function python(script: string, ...packages: readonly string[]): Promise<readonly [string, ...string[]]> {
  const environment = join(cache, 'python')
  const command = join(environment, 'bin', 'python')
  if (!existsSync(command)) await runChecked('python3', ['-m', 'venv', environment], { withinMs: longMs })
  await runChecked(command, ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', ...packages], { withinMs: longMs })
  return [command, join(here, script)]
}

export interface Place {
  readonly environment: Readonly<Record<string, string>>
  stop(): Promise<void>
}

async function check(driver: Driver, place: Place): Promise<{ readonly passed: number; readonly failed: number }> {
  const [command, ...args] = await driver.prepare()
  const result = await run(command, args, { env: { CHECK_HOST: '127.0.0.1', ...place.environment }, withinMs: longMs })
  const passed = result.stdout.match(/^ok .*$/gm)?.length ?? 0
  const faults: string[] = [...(result.stdout.match(/^FAIL .*$/gm) ?? [])]
  if (result.code !== 0 && faults.length === 0)
    faults.push(`FAIL ${driver.name} ended with ${result.code}: ${result.stderr.slice(-2000)}`)
  console.log(`${faults.length === 0 ? 'PASS' : 'FAIL'} ${driver.name}: ${passed} of ${passed + faults.length} checks`)
  for (const fault of faults) console.log(`  ${fault}`)
  return { passed, failed: faults.length }
}

/** Checks all the drivers that were asked for (all, where none was); says how many checks passed. */
export async function checkAll(drivers: readonly Driver[], wanted: readonly string[], place: Place): Promise<void> {
  mkdirSync(cache, { recursive: true })
  let passed = 0
  let failed = 0
  for (const driver of drivers.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    const counted = await check(driver, place)
    passed += counted.passed
    failed += counted.failed
  }
  console.log(`drivers: ${passed} passed, ${failed} failed`)
  if (failed > 0 || passed === 0) process.exitCode = 1
}
