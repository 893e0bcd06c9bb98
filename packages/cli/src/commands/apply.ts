// Definitions given to a running gateway, and taken from it.

import type { ApplyResult, DefinitionsChange } from '@sallyport/api'
import { stringify } from 'yaml'
import { openClient } from '../client/gateway-client.js'
import { faultLine } from '../configuration/fault.js'
import { loadConfiguration } from '../configuration/load.js'
import { printable } from '../output/printable.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

interface ApplyOptions {
  readonly file: string
  readonly dryRun?: true
  readonly json?: true
}

/** Checks the file here first, for here its lines are known. */
export async function applyCommand(options: ApplyOptions, terminal: Terminal): Promise<number> {
  const loaded = loadConfiguration(options.file, terminal.env)
  if (loaded.kind === 'faulty') {
    terminal.err(loaded.faults.map((fault) => faultLine(options.file, fault)).join('\n'))
    return 1
  }
  const body = { definitions: loaded.value.definitions, dryRun: options.dryRun === true }
  const result = await openClient(terminal.env).call<ApplyResult>('PUT', '/definitions', body)
  if (options.json === true) printJson(terminal, result)
  else {
    for (const change of result.changes) terminal.out(printable(changeLines(change)))
    terminal.err(summary(result))
  }
  return 0
}

function summary({ applied, changes, revision, ended }: ApplyResult): string {
  if (changes.length === 0) return `nothing to change; revision ${revision} stands`
  const many = `${changes.length} change${changes.length === 1 ? '' : 's'}`
  if (!applied) return `${many} to make; nothing was changed`
  return `${many} made: revision ${revision}${ended === 0 ? '' : `; ${ended} live sessions lost their grant and were cut`}`
}

const MARKS = { add: '+', change: '~', remove: '-' } as const

function changeLines(change: DefinitionsChange): string {
  const fields = change.fields.map(
    ({ path, before, after }) => `\n    ${path}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`,
  )
  return `${MARKS[change.kind]} ${change.what} ${change.name}${fields.join('')}`
}

export async function exportCommand(options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const { definitions } = await openClient(terminal.env).call<{ readonly definitions: unknown }>('GET', '/definitions')
  if (options.json === true) printJson(terminal, definitions)
  else terminal.out(stringify(definitions))
}
