// Access tokens: made (and shown once), listed, revoked.

import { openClient } from '../client/gateway-client.js'
import { printTable, shortTime } from '../output/table.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

interface Token {
  readonly id: string
  readonly identity: string
  readonly onBehalfOf: string | null
  readonly createdAt: string
  readonly expiresAt: string
  readonly revokedAt: string | null
  readonly createdBy: string
}

export async function createCommand(
  identity: string,
  options: { readonly ttl: number; readonly onBehalfOf?: string; readonly json?: true },
  terminal: Terminal,
): Promise<void> {
  const created = await openClient(terminal.env).call<Token & { readonly token: string }>('POST', '/tokens', {
    identity,
    ttlSeconds: Math.floor(options.ttl / 1000),
    ...(options.onBehalfOf === undefined ? {} : { onBehalfOf: options.onBehalfOf }),
  })
  if (options.json === true) return printJson(terminal, created)
  terminal.out(created.token)
  terminal.err(`token ${created.id} for ${created.identity}, until ${shortTime(created.expiresAt)} UTC; it is not shown again`)
}

export async function listCommand(options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const tokens = await openClient(terminal.env).call<readonly Token[]>('GET', '/tokens')
  if (options.json === true) return printJson(terminal, tokens)
  await printTable(
    terminal,
    ['id', 'identity', 'on behalf of', 'made', 'until', 'state', 'by'],
    tokens.map((token) => [
      token.id,
      token.identity,
      token.onBehalfOf,
      shortTime(token.createdAt),
      shortTime(token.expiresAt),
      stateOf(token),
      token.createdBy,
    ]),
  )
}

function stateOf(token: Token): string {
  if (token.revokedAt !== null) return 'revoked'
  return Date.parse(token.expiresAt) <= Date.now() ? 'expired' : 'live'
}

export async function revokeCommand(id: string, options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const answer = await openClient(terminal.env).call('DELETE', `/tokens/${encodeURIComponent(id)}`)
  if (options.json === true) return printJson(terminal, answer)
  terminal.err(`token ${id} revoked; its sessions are cut`)
}
