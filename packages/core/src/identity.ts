// Who is calling, and what they brought to show it.

import type { Secret } from './secret.js'

/** A person, a service or an agent. `onBehalfOf` names the person an agent acts for (RFC 8693, section 4.1, `act`). */
export interface Identity {
  readonly id: string
  readonly name: string
  readonly kind: 'person' | 'service' | 'agent'
  readonly groups: readonly string[]
  readonly onBehalfOf?: string
}

/** One person, or one agent for the same person. */
export function isSameIdentity(a: Identity, b: Identity): boolean {
  return a.id === b.id && a.name === b.name && a.onBehalfOf === b.onBehalfOf
}

/** What is kept of an access token so that each protocol's login can be checked; the token itself is never kept. Hex throughout. */
export interface TokenVerifiers {
  /** SCRAM-SHA-256 (RFC 5802, section 3): all tokens of an identity share `salt` and `iterations`. */
  readonly scramSha256: {
    readonly salt: string
    readonly iterations: number
    readonly storedKey: string
    readonly serverKey: string
  }
  /** MySQL `mysql_native_password`: SHA1(SHA1(token)). */
  readonly mysqlNativePassword: string
  /** MySQL `caching_sha2_password`, fast path: SHA256(SHA256(token)). */
  readonly cachingSha2Password: string
}

/** A person as a provider described them when they logged in: who the token of that login is of. */
export interface ProviderLogin {
  /** The provider's name. */
  readonly provider: string
  /** The identity's id: the provider and the subject there. */
  readonly id: string
  readonly groups: readonly string[]
}

/** What is kept of an access token. */
export interface TokenRecord {
  readonly id: string
  /** The identity's name. */
  readonly identity: string
  readonly onBehalfOf: string | null
  /** SHA-256 of the token, hex. */
  readonly lookup: string
  readonly verifiers: TokenVerifiers
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly revokedAt: Date | null
  readonly createdBy: string
  /** Null for a token of an identity of the configuration. */
  readonly login: ProviderLogin | null
}

/** People log in at an identity provider with a code that they carry to a browser. Throws Denied, with words for the person, also where too
 * many come from one address. `from`: the caller's `address:port`. */
export interface CodeLogins<LoggedIn = { readonly token: Secret }> {
  readonly providers: readonly { readonly name: string; readonly flows: readonly string[] }[]
  device(
    provider: string | undefined,
    options: { readonly from: string; readonly signal: AbortSignal },
  ): Promise<{
    readonly userCode: string
    readonly address: string
    readonly addressWithCode: string | undefined
    readonly expiresAt: Date
    readonly settle: () => Promise<LoggedIn>
  }>
}

/** What a client showed to say who it is. */
export type Proof =
  /** An access token or a JWT in clear, as a database password, a bearer token or an SSH password. */
  | { readonly kind: 'token'; readonly token: Secret }
  /** A challenge was answered. `answers` tells whether the answer was made from the token behind these verifiers. */
  | { readonly kind: 'challenge'; readonly answers: (verifiers: TokenVerifiers) => boolean }
  /** A signature over this session by the key was already checked. `key` is the OpenSSH public key line without comment. */
  | { readonly kind: 'publicKey'; readonly key: string }
  /** A signature by the certificate's key was already checked; the certificate itself was not. OpenSSH line without comment. */
  | { readonly kind: 'certificate'; readonly certificate: string }

/** The salt and iteration count to open a SCRAM exchange with; the same for a user that does not exist. */
export interface ScramChallenge {
  readonly salt: Uint8Array
  readonly iterations: number
  /** This user has no access token but an identity provider may know them: their proof is a token that only travels in clear. */
  readonly clear?: boolean
}

export interface ClientFacts {
  /** `address:port` of the client's end. */
  readonly address: string
  readonly loopback: boolean
  readonly tls: boolean
  /** What the client calls itself (application_name, user agent). Claimed, not proved. */
  readonly application?: string
}

export interface Login {
  /** The identity's name as the client wrote it; '' where the proof alone tells. */
  readonly user: string
  /** `TARGET` or `TARGET.DATABASE`. */
  readonly target: string
  readonly protocol: string
  readonly proof: Proof
  readonly client: ClientFacts
}
