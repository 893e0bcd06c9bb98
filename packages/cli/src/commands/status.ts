// How the running gateway does.

import type { Status } from '@sallyport/api'
import { openClient } from '../client/gateway-client.js'
import { printable } from '../output/printable.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

export async function statusCommand(options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const client = openClient(terminal.env)
  const status = await client.call<Status>('GET', '/status')
  if (options.json === true) return printJson(terminal, status)
  const lines = [
    `node       ${status.node}, version ${status.version}, since ${status.startedAt}`,
    `console    ${client.url}`,
    ...status.listeners.map(({ protocol, address }) => `listening  ${protocol} ${address}`),
    `sessions   ${status.liveSessions} live`,
    `revision   ${status.revision} of the definitions`,
    `database   ${status.database.kind}, ${status.database.healthy ? 'healthy' : 'NOT ANSWERING'}`,
    `recorder   ${JSON.stringify(status.recorder)}`,
  ]
  terminal.out(printable(lines.join('\n')))
}
