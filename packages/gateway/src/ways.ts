// Which target a login means, whether a session still leads where it led, and the way there.

import { matchesAnyName, Unreachable } from '@sallyport/core'
import type { Hop, Login, Target } from '@sallyport/core'
import type { Definitions } from './gateway.js'

/** A longer way is a mistake, and one without an end a loop: configurations with either are refused before. */
const mostHops = 4

/** The first to be met first. The way is the operator's: who may reach the target needs no grant for it, and gets nothing of it. */
export async function hopsTo(target: Target, definitions: Pick<Definitions, 'targets' | 'credentialFor'>): Promise<readonly Hop[]> {
  const hops: Hop[] = []
  for (let { via } = target; via !== undefined;) {
    const name = via
    const hop = definitions.targets.find((each) => each.name === name && each.protocol === target.protocol)
    if (hop === undefined || hops.length >= mostHops)
      throw new Unreachable('target-unreachable', `the way to target ${target.name} leads through ${name}, and not on from there`)
    hops.unshift({ target: hop, credential: await definitions.credentialFor(hop) })
    ;({ via } = hop)
  }
  return hops
}

export function targetOf(targets: readonly Target[], login: Login): Target | undefined {
  const ofProtocol = targets.filter((target) => target.protocol === login.protocol)
  const exact = ofProtocol.find((target) => target.name === login.target)
  if (exact !== undefined) return exact
  const inside = ofProtocol.find((target) => login.target.startsWith(`${target.name}.`))
  if (inside === undefined) return undefined
  const database = login.target.slice(inside.name.length + 1)
  if (database === inside.database) return inside
  return matchesAnyName(inside.databases, database) ? { ...inside, database } : undefined
}

/** What says where a session leads, and to whom its credential is shown. */
const way = ['protocol', 'address', 'tls', 'tlsAuthorities', 'hostKey', 'hostAuthority', 'via'] as const

/** Whether the target as it is defined now is still the one that a session was opened to. */
export function isSameWay(opened: Target, now: Target): boolean {
  if (way.some((fact) => opened[fact] !== now[fact])) return false
  return opened.database === now.database || (opened.database !== undefined && matchesAnyName(now.databases, opened.database))
}
