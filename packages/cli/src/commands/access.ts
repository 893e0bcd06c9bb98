// Who the gateway takes me for, and what I may reach.

import type { ReachableTarget } from '@sallyport/api'
import { openClient } from '../client/gateway-client.js'
import { oneLine, printable } from '../output/printable.js'
import { printTable } from '../output/table.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

interface Me {
  readonly name: string
  readonly kind: string
  readonly groups: readonly string[]
  readonly onBehalfOf: string | null
  readonly operator: boolean
  readonly mayEndSessions: boolean
  readonly expiresAt: string | null
}

export async function whoamiCommand(options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const me = await openClient(terminal.env).call<Me>('GET', '/whoami')
  if (options.json === true) return printJson(terminal, me)
  const details = [
    me.kind,
    ...(me.groups.length > 0 ? [`groups ${me.groups.join(', ')}`] : []),
    ...(me.onBehalfOf === null ? [] : [`on behalf of ${me.onBehalfOf}`]),
    ...(me.operator ? [me.mayEndSessions ? 'may read and end every session' : 'may read every session'] : []),
    ...(me.expiresAt === null ? [] : [`until ${me.expiresAt}`]),
  ]
  terminal.out(printable(`${me.name} (${details.join('; ')})`))
}

/** Indented or not is no matter to who reads it; a line a table would be, to who compares two. */
export async function schemaCommand(target: string, terminal: Terminal): Promise<void> {
  printJson(terminal, await openClient(terminal.env).call('GET', `/targets/${encodeURIComponent(target)}/schema`))
}

export async function targetsCommand(options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const targets = await openClient(terminal.env).call<readonly ReachableTarget[]>('GET', '/targets')
  if (options.json === true) return printJson(terminal, targets)
  const labels = (target: ReachableTarget): string =>
    oneLine(
      Object.entries(target.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    )
  await printTable(
    terminal,
    ['target', 'protocol', 'labels', 'connect with'],
    targets.map((target) => [target.name, target.protocol, labels(target), target.connection]),
  )
}
