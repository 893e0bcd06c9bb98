// One revision of the definitions, made ready: what the gateway asks at each login, statement and dial.

import type { Credential, Identity, Judge, Target } from '@sallyport/core'
import type { KnownIdentity } from '@sallyport/identity'
import { compilePolicy, isGranted } from '@sallyport/policy'
import type { Policy } from '@sallyport/policy'
import type { CredentialSource } from '@sallyport/vault'
import { identitiesOf, targetsOf } from '../configuration/definitions.js'
import type { WrittenDefinitions, WrittenTarget } from '../configuration/schema.js'

export interface InForce {
  readonly revision: number
  readonly written: WrittenDefinitions
  readonly identities: readonly KnownIdentity[]
  readonly targets: readonly Target[]
  readonly policy: Policy
  /** An identity as it is known now: its groups may have changed since it logged in. Undefined where it is known no more. */
  current(identity: Identity): Identity | undefined
  granted(identity: Identity, target: Target): boolean
  judgeFor(identity: Identity, target: Target): Judge
  credentialFor(target: Target): Promise<Credential>
}

export interface InForceParts {
  /** Whether an identity provider may know identities that the definitions do not. */
  readonly providers: boolean
  readonly credentialFor: (source: CredentialSource | undefined) => Promise<Credential>
}

/** Throws Misconfigured for a rule that does not compile. */
export function inForce(revision: number, written: WrittenDefinitions, parts: InForceParts): InForce {
  const policy = compilePolicy(written.rules)
  const identities = new Map(identitiesOf(written).map((identity) => [identity.name, identity]))
  const credentials = new Map(written.targets.map((target) => [target.name, sourceOf(target)]))
  const current = (identity: Identity): Identity | undefined => {
    const known = identities.get(identity.name)
    // What the definitions name is called by its name; a provider's identity by the provider and the subject there.
    const isProviders = identity.id !== identity.name
    if (known === undefined) return parts.providers && isProviders ? identity : undefined
    // Somebody of a provider does not become whom the definitions call by the same name. Agents' tokens may be a provider's.
    if (known.kind === 'person' && isProviders) return undefined
    return { ...identity, kind: known.kind, groups: known.groups }
  }
  return {
    revision,
    written,
    identities: written.identities,
    targets: targetsOf(written),
    policy,
    current,
    granted: (identity, target) => {
      const now = current(identity)
      return now !== undefined && isGranted(written.grants, now, target)
    },
    // A session whose identity is gone is being cut; until then the strictest reading of who it was applies.
    judgeFor: (identity, target) => policy.judgeFor(current(identity) ?? identity, target),
    credentialFor: (target) => parts.credentialFor(credentials.get(target.name)),
  }
}

/** A credential has one proof: the schema says so, and so does what it becomes. */
function sourceOf(target: WrittenTarget): CredentialSource | undefined {
  if (target.protocol !== 'ssh') return target.credential
  const { username, password, privateKey, passphrase, certificate } = target.credential
  if (password !== undefined) return { username, password }
  return privateKey === undefined ? undefined : { username, privateKey, passphrase, certificate }
}

/** What is in force where the definitions cannot be understood: nobody may reach anything. */
export function nothingInForce(parts: InForceParts): InForce {
  return inForce(0, { identities: [], targets: [], grants: [], rules: [] }, parts)
}
