// Logging in at the configured identity providers: those that know this gateway as a client.

import { hkdfSync } from 'node:crypto'
import { Misconfigured } from '@sallyport/core'
import type { Secret } from '@sallyport/core'
import { createLogins } from '@sallyport/identity'
import type { KnownIdentity, LoginProvider, Logins, TokenTable } from '@sallyport/identity'
import type { Vault } from '@sallyport/vault'
import type { Configuration } from '../configuration/load.js'
import type { Log } from './logging.js'

export interface LoginsParts {
  readonly configuration: Configuration
  readonly store: { readonly tokens: TokenTable }
  readonly vault: Vault
  readonly secret: Uint8Array
  readonly identities: () => readonly KnownIdentity[]
  /** Where browsers find the console; '' before it listens. */
  readonly consoleAddress: () => string
  readonly log: Log
}

export function loginsFor({ configuration, store, vault, secret, identities, consoleAddress, log }: LoginsParts): Logins {
  return createLogins({
    providers: configuration.identityProviders.flatMap((provider) => providerOf(provider, vault)),
    tokens: store.tokens,
    identities,
    secret,
    sealingKey: new Uint8Array(hkdfSync('sha256', secret, '', 'sallyport logins', 32)),
    redirects: () => [`${consoleAddress()}/api/v1/sign-in/back`],
    now: Date.now,
    log,
  })
}

function providerOf(written: Configuration['identityProviders'][number], vault: Vault): readonly LoginProvider[] {
  const { clientId, clientSecret: source, loginHours, ...rest } = written
  if (clientId === undefined) return []
  const login = { ...rest, clientId, loginMs: loginHours * 3_600_000 }
  if (source === undefined) return [login]
  // Read at each discovery, so that a rotated secret counts without a restart.
  const clientSecret = async (): Promise<Secret> => {
    const credential = await vault.credentialFor({ bearer: source })
    if (credential.kind !== 'bearer')
      throw new Misconfigured('bad-client-secret', `the client secret of ${rest.name} cannot be read`)
    return credential.token
  }
  return [{ ...login, clientSecret }]
}
