// What somebody may reach, and the connection string to paste.

import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { ReachableTarget } from '@sallyport/api'
import type { Identity, Target } from '@sallyport/core'
import { splitAddress } from '@sallyport/gateway'
import type { InForce } from './in-force.js'

export interface Listener {
  readonly protocol: string
  readonly address: string
}

/** Everyone's targets where no identity is given. `publicHost`: what clients call a gateway that listens on every address. */
export function reachableTargets(
  current: InForce,
  listeners: readonly Listener[],
  publicHost: string | undefined,
  identity: Identity | undefined,
): readonly ReachableTarget[] {
  const targets = identity === undefined ? current.targets : current.targets.filter((target) => current.granted(identity, target))
  return targets.map((target) => {
    const endpoint = endpointFor(target, listeners, publicHost)
    const { name, protocol, labels } = target
    const connection = endpoint === null ? null : connectionString(target, endpoint, identity)
    return { name, protocol, labels, database: target.database ?? null, connection, endpoint }
  })
}

/** What SSH clients may call this gateway, as known_hosts writes it: `sallyport` is how our own commands do. */
export function sshHosts(listeners: readonly Listener[], publicHost: string | undefined): readonly string[] {
  const own = listeners.filter(({ protocol }) => protocol === 'ssh' || protocol === 'auto')
  const hosts = own.flatMap(({ address }) => {
    const { host, port } = splitAddress(address)
    const everywhere = host === '0.0.0.0' || host === '::'
    const names = [
      ...(everywhere ? [hostname(), 'localhost', '127.0.0.1'] : [host]),
      ...(publicHost === undefined ? [] : [publicHost]),
    ]
    return names.map((name) => (port === 22 ? name : `[${name}]:${port}`))
  })
  return [...new Set([...hosts, 'sallyport'])]
}

/** A listener of its own protocol before one that takes all. */
function endpointFor(
  target: Target,
  listeners: readonly Listener[],
  publicHost: string | undefined,
): { readonly host: string; readonly port: number } | null {
  const listener =
    listeners.find(({ protocol }) => protocol === target.protocol) ?? listeners.find(({ protocol }) => protocol === 'auto')
  if (listener === undefined) return null
  const { host, port } = splitAddress(listener.address)
  const everywhere = host === '0.0.0.0' || host === '::'
  return { host: publicHost ?? (everywhere ? '127.0.0.1' : host), port }
}

function connectionString(
  target: Target,
  endpoint: { readonly host: string; readonly port: number },
  identity: Identity | undefined,
): string {
  if (target.protocol === 'ssh') return `ssh -p ${endpoint.port} ${identity?.name ?? 'IDENTITY'}:${target.name}@${endpoint.host}`
  const host = isIP(endpoint.host) === 6 ? `[${endpoint.host}]` : endpoint.host
  if (target.protocol === 'http') return `http://${host}:${endpoint.port}/${target.name}/`
  const user = identity === undefined ? 'IDENTITY' : encodeURIComponent(identity.name)
  const scheme = target.protocol === 'mysql' ? 'mysql' : 'postgresql'
  return `${scheme}://${user}:TOKEN@${host}:${endpoint.port}/${target.name}`
}
