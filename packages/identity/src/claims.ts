// From a JWT's claims to an identity.
//
// The user's name is `usernameClaim`, else preferred_username, else email (unless said to be unverified), else sub; the groups are
// `groupsClaim`. A token with an `act` claim (RFC 8693, section 4.1) is an agent's: `act.sub` names the agent, and the token's own
// subject is the person it acts for. Such an agent has the groups configured for it, else those in `act`; never the person's.

import { Refusal } from './refusal.js'
import type { Identity } from '@sallyport/core'
import type { JWTPayload } from 'jose'
import type { OidcProvider } from './provider.js'

/** An identity as the configuration describes it: what no provider knows. */
export interface KnownIdentity {
  readonly name: string
  readonly kind: Identity['kind']
  readonly groups: readonly string[]
  /** OpenSSH public key lines. */
  readonly sshKeys?: readonly string[] | undefined
}

const maxNameLength = 256
const maxGroups = 1_000

/** Throws where the claims name nobody, or somebody they may not speak for. */
export function identityFrom(
  claims: JWTPayload,
  provider: OidcProvider,
  known: (name: string) => KnownIdentity | undefined,
): Identity {
  const subject = nameIn(claims, provider)
  const act = claims['act']
  if (act === undefined) {
    // Users often choose their own names at a provider; one of them must not become the billing agent.
    if (known(subject) !== undefined)
      throw new Refusal(`${subject} is an identity of the configuration; a provider's user may not take its name`)
    return { id: `${provider.name}:${claims.sub ?? ''}`, name: subject, kind: 'person', groups: groupsIn(claims, provider) }
  }
  if (!isRecord(act)) throw new Refusal('the act claim is not an object')
  const name = validName(act['sub'], 'act.sub')
  if (name === subject) throw new Refusal('the agent and the person it acts for have the same name')
  const configured = known(name)
  if (configured !== undefined && configured.kind === 'person')
    throw new Refusal(`${name} is a person, and persons act for themselves`)
  const groups = configured?.groups ?? groupsIn(act, provider)
  return { id: `${provider.name}:${name}`, name, kind: 'agent', groups, onBehalfOf: subject }
}

function nameIn(claims: JWTPayload, provider: OidcProvider): string {
  if (provider.usernameClaim !== undefined) return validName(claims[provider.usernameClaim], provider.usernameClaim)
  const email = claims['email_verified'] === false ? undefined : claims['email']
  return validName(claims['preferred_username'] ?? email ?? claims.sub, 'preferred_username')
}

function groupsIn(claims: Readonly<Record<string, unknown>>, provider: OidcProvider): readonly string[] {
  const claim = claims[provider.groupsClaim]
  if (claim === undefined || claim === null) return []
  const groups: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  if (groups.length > maxGroups) throw new Refusal(`the token lists more than ${maxGroups} groups`)
  return groups.map((group) => validName(group, provider.groupsClaim))
}

function validName(value: unknown, claim: string): string {
  if (typeof value !== 'string' || value === '' || value.length > maxNameLength || /\p{Cc}/u.test(value)) {
    throw new Refusal(`the claim ${claim} is not a name`)
  }
  return value
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
