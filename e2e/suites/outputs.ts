// The outputs of a suite's tests, direct and through the gateway: what matters is the difference between the two, not how either compares
// with what the suite expects.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../backends/programs.js'

/** Tests (by their files `*.out`) whose output is not the same both ways, with what differs. */
export async function compareOutputs(direct: string, through: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const file of readdirSync(direct).filter((name) => name.endsWith('.out'))) {
    const other = join(through, file)
    if (existsSync(other) && readFileSync(other).equals(readFileSync(join(direct, file)))) continue
    // As text, whatever bytes are in it; a file that is missing counts as empty.
    found.set(file, (await run('diff', ['-aN', '-U2', join(direct, file), other])).stdout)
  }
  return found
}
