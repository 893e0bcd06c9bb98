// A connection inside another (a forwarded port of SSH) that leads to a target of ours: which target that is, and who may log in on it.

import type { Duplex } from 'node:stream'
import { Denied, isSameIdentity } from '@sallyport/core'
import type { ClientFacts, Gate, Identity, Inside, Protocol, Target } from '@sallyport/core'
import { standsAt } from './dialing.js'
import type { Definitions } from './gateway.js'

/** Whom an inner login must be of, and where it must lead: those of the connection around it. */
export interface Bounds {
  readonly identity: Identity
  readonly targets: readonly string[]
}

export interface InsideParts {
  readonly definitions: Definitions
  readonly protocols: readonly Protocol[]
  readonly gate: (bounds: Bounds) => Gate
}

export function insideOf(
  outer: { readonly identity: Identity; readonly client: ClientFacts },
  host: string,
  port: number,
  parts: InsideParts,
): Inside {
  const { definitions, protocols } = parts
  const known = targetsAt(definitions.targets, host, port)
  if (known.length === 0) return { kind: 'unknown' }
  const granted = known.filter((target) => definitions.granted(outer.identity, target))
  const protocol = protocols.find(({ name }) => name === granted[0]?.protocol)
  if (protocol === undefined) return { kind: 'not granted' }
  const targets = granted.filter((target) => target.protocol === protocol.name).map(({ name }) => name)
  const { address, loopback } = outer.client
  const facts: ClientFacts = { address, loopback, tls: false }
  const serve = (stream: Duplex): Promise<void> =>
    protocol.serve({ stream, facts }, parts.gate({ identity: outer.identity, targets }))
  return { kind: 'target', targets, serve }
}

/** By habit; a target that is called by its name is found at these as well as at its own. */
const usualPorts: Readonly<Record<string, readonly number[]>> = { postgres: [5432], mysql: [3306], ssh: [22], http: [80, 443] }

/** What stands at this address, or is called so. An address counts as it reads: where it would lead from elsewhere cannot be told here. */
export function targetsAt(targets: readonly Target[], host: string, port: number): readonly Target[] {
  const bare = host
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase()
  return targets.filter(
    ({ name, address, protocol }) =>
      standsAt(address, bare, port) ||
      (name.toLowerCase() === bare && (standsAt(address, undefined, port) || (usualPorts[protocol] ?? []).includes(port))),
  )
}

/** Throws Denied for a login that is not of whom the connection around it is, or leads elsewhere. */
export function holdWithin({ identity, targets }: Bounds, who: Identity, target: Target): void {
  if (isSameIdentity(identity, who) && targets.includes(target.name)) return
  throw new Denied('not-granted', `this way leads to target ${targets.join(', ')} as ${identity.name}, and to nothing else`)
}
