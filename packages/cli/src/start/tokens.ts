// Access tokens from where the operator asks for one to where a login is checked; and revoking, which cuts sessions everywhere.

import type { ApiParts } from '@sallyport/api'
import { Misconfigured } from '@sallyport/core'
import { createToken, isLive, scramSalt } from '@sallyport/identity'
import type { TokenTable } from '@sallyport/identity'
import { nearest } from '../configuration/fault.js'
import type { InForce } from './in-force.js'
import type { Log } from './logging.js'

export interface TokenParts {
  readonly table: TokenTable
  readonly current: () => InForce
  /** Whether an identity provider may know persons that the definitions do not. */
  readonly providers: boolean
  readonly secret: Uint8Array
  /** Cuts the sessions of a token here and tells the other nodes. */
  readonly onRevoked: (id: string) => Promise<void>
}

export function tokensFor(parts: TokenParts): ApiParts['tokens'] {
  const { table, secret, onRevoked } = parts
  return {
    create: async ({ identity, onBehalfOf, ttlMs, createdBy }) => {
      refuseUnknown(identity, onBehalfOf, parts)
      const made = createToken({ identity, onBehalfOf, ttlMs, createdBy, salt: scramSalt(secret, identity), now: Date.now() })
      await table.insert(made.record)
      return made
    },
    list: () => table.list(),
    revoke: async (id) => {
      const revoked = await table.revoke(id, new Date())
      if (revoked) await onRevoked(id)
      return revoked
    },
  }
}

function refuseUnknown(identity: string, onBehalfOf: string | null, { current, providers }: TokenParts): void {
  const known = current().identities
  const found = known.find(({ name }) => name === identity)
  const unknown = (name: string): Misconfigured => {
    const near = nearest(
      name,
      known.map((each) => each.name),
    )
    const advice = near === undefined ? 'add it to identities and apply' : `did you mean ${near}?`
    return new Misconfigured('unknown-identity', `there is no identity ${name}; ${advice}`)
  }
  if (found === undefined) throw unknown(identity)
  if (onBehalfOf === null) return
  if (found.kind === 'person') throw new Misconfigured('not-an-agent', `${identity} is a person, and persons act for themselves`)
  if (!providers && !known.some(({ name }) => name === onBehalfOf)) throw unknown(onBehalfOf)
}

/** Tokens made on a node with another installation key cannot log in here, and nobody could tell why. */
export async function warnOfOtherSecret(table: Pick<TokenTable, 'list'>, secret: Uint8Array, log: Log): Promise<void> {
  const now = Date.now()
  const live = (await table.list()).filter((token) => isLive(token, now))
  const foreign = live.filter(
    ({ identity, verifiers }) => verifiers.scramSha256.salt !== Buffer.from(scramSalt(secret, identity)).toString('hex'),
  )
  if (foreign.length === 0) return
  log(
    'error',
    'live access tokens were made with another keys/installation.key and cannot log in here; copy that key from the node that made them',
    {
      tokens: foreign.length,
    },
  )
}
