// What clients trust: the authority of the certificates that TLS clients are shown, and that of the hosts that SSH clients meet.

import type { ReachableTarget } from '@sallyport/api'
import { Denied } from '@sallyport/core'
import { openClient } from '../client/gateway-client.js'
import type { GatewayClient } from '../client/gateway-client.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

export interface CaOptions {
  readonly json?: true
  readonly ssh?: true
  readonly hostKey?: true
}

export async function caCommand(options: CaOptions, terminal: Terminal): Promise<void> {
  const client = openClient(terminal.env)
  if (options.ssh === true || options.hostKey === true) return printSsh(client, options, terminal)
  const certificate = await client.text('/authority')
  if (options.json === true) printJson(terminal, { certificate })
  else terminal.out(certificate)
}

async function printSsh(client: GatewayClient, options: CaOptions, terminal: Terminal): Promise<void> {
  const hostKey = (await client.text('/ssh-host-key')).trim()
  const { publicKey, hosts } = await client.call<{ readonly publicKey: string; readonly hosts: readonly string[] }>(
    'GET',
    '/ssh-authority',
  )
  const names = [...hosts, ...(await jumpTargets(client))]
  const knownHosts = `@cert-authority ${names.join(',')} ${publicKey} sallyport`
  if (options.json === true) return printJson(terminal, { knownHosts, authority: publicKey, hosts: names, hostKey })
  terminal.out(options.hostKey === true ? hostKey : knownHosts)
}

/** As a jump host the gateway stands for its targets, by their names. A stranger may not know them. */
async function jumpTargets(client: GatewayClient): Promise<readonly string[]> {
  try {
    const targets = await client.call<readonly ReachableTarget[]>('GET', '/targets')
    return targets.filter(({ protocol }) => protocol === 'ssh').map(({ name }) => name)
  } catch (error) {
    if (error instanceof Denied) return []
    throw error
  }
}
