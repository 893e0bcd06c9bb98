// Whether a configuration file will do; where not, every fault with its place.

import { faultLine } from '../configuration/fault.js'
import { loadConfiguration } from '../configuration/load.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

export async function checkCommand(
  options: { readonly config: string; readonly json?: true },
  terminal: Terminal,
): Promise<number> {
  const loaded = loadConfiguration(options.config, terminal.env)
  const faults = loaded.kind === 'faulty' ? loaded.faults : []
  const warnings = loaded.kind === 'loaded' ? loaded.warnings : []
  if (options.json === true) printJson(terminal, { file: options.config, ok: loaded.kind === 'loaded', faults, warnings })
  else if (loaded.kind === 'faulty') terminal.err(faults.map((fault) => faultLine(options.config, fault)).join('\n'))
  else {
    for (const warning of warnings) terminal.err(`warning: ${faultLine(options.config, warning)}`)
    const { identities, targets, grants, rules } = loaded.value.definitions
    const counts = `targets: ${targets.length}, identities: ${identities.length}, grants: ${grants.length}, rules: ${rules.length}`
    terminal.out(`${options.config}: in order (${counts})`)
  }
  return loaded.kind === 'loaded' ? 0 : 1
}
