// Whom a rule or a grant is about, and where it holds.

import { matchesAnyName } from '@sallyport/core'
import type { Identity, Target } from '@sallyport/core'
import type { Grant, Where, Who } from './schema.js'

export function holdsFor(who: Who | undefined, identity: Identity): boolean {
  if (who === undefined) return true
  if (who.kind !== undefined && !who.kind.includes(identity.kind)) return false
  if (who.names !== undefined && !matchesAnyName(who.names, identity.name)) return false
  const { groups, onBehalfOf } = who
  if (groups !== undefined && !identity.groups.some((group) => matchesAnyName(groups, group))) return false
  if (onBehalfOf === undefined) return true
  return identity.onBehalfOf !== undefined && matchesAnyName(onBehalfOf, identity.onBehalfOf)
}

export function holdsAt(where: Where | undefined, target: Target): boolean {
  if (where === undefined) return true
  if (where.targets !== undefined && !matchesAnyName(where.targets, target.name)) return false
  return Object.entries(where.labels ?? {}).every(([label, values]) => {
    const value = Object.hasOwn(target.labels, label) ? target.labels[label] : undefined
    return value !== undefined && matchesAnyName(values, value)
  })
}

/** Whether any grant lets the identity reach the target. */
export function isGranted(grants: readonly Grant[], identity: Identity, target: Target): boolean {
  return grants.some((grant) => holdsFor(grant, identity) && holdsAt(grant, target))
}
