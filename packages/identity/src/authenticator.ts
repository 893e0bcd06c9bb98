// From a proof to an identity. Every failure looks the same to the caller; the reason goes to the log alone.

import { timingSafeEqual } from 'node:crypto'
import { Denied } from '@sallyport/core'
import { certifiedBy } from './certificates.js'
import { identityFrom } from './claims.js'
import { clientOf, createFailureLimiter } from './failures.js'
import { createJwtCheck, looksLikeJwt } from './jwt.js'
import { isCallersFault, Refusal } from './refusal.js'
import { isLive, lookupOf } from './tokens.js'
import { scramIterations, scramSalt } from './verifiers.js'
import type { Identity, Proof, ProviderLogin, ScramChallenge, TokenRecord } from '@sallyport/core'
import type { CertificateAuthorities, CertifiedLogin } from './certificates.js'
import type { KnownIdentity } from './claims.js'
import type { Fetch } from './fetch.js'
import type { CheckedJwt } from './jwt.js'
import type { OidcProvider } from './provider.js'
import type { TokenTable } from './tokens.js'

export interface LoginProof {
  /** The identity's name as the client wrote it; '' where the proof alone tells. */
  readonly user: string
  readonly proof: Proof
  readonly tls: boolean
  readonly loopback: boolean
  /** `address:port` of the client's end. */
  readonly address: string
}

export interface Proved {
  readonly identity: Identity
  /** What the identity rests on: when it is revoked or expires, so does the session. */
  readonly token?: { readonly id: string; readonly expiresAt: Date }
}

export interface Authenticator {
  /**
   * The same salt for the same user, always; one that does not exist is not told apart. Where identity providers are configured, a user
   * without a live access token is asked for a clear proof, since a JWT is of no use to a challenge.
   */
  challenge(user: string): Promise<ScramChallenge>
  /** Throws Denied('unauthenticated'), with one and the same message for every reason. */
  prove(login: LoginProof): Promise<Proved>
}

export interface AuthenticatorParts {
  readonly tokens: Pick<TokenTable, 'byIdentity' | 'byLookup' | 'byId'>
  readonly identities: () => readonly KnownIdentity[]
  readonly providers: readonly OidcProvider[]
  /** Whose SSH certificates count; absent: nobody's. */
  readonly certificates?: CertificateAuthorities
  /** Of this installation, the same on every node; salts follow from it. */
  readonly secret: Uint8Array
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  /** Told why a login failed. Never a credential. */
  readonly onFailure?: (reason: string, login: { readonly user: string; readonly address: string; readonly proof: string }) => void
  readonly fetch?: Fetch
}

/** Tokens of one identity a challenge is tried against, newest first: enough for a fleet of agents, and still under a millisecond. */
const maxTokensTried = 100

/** One user at one client: a person mistyping, a job with an old token. */
const perUser = { burst: 20, refillMs: 3_000, entries: 10_000 }
/** All users at one client: a scan. Generous, since many people may share one address. */
const perClient = { burst: 200, refillMs: 500, entries: 10_000 }

export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  const { tokens, identities, secret, now } = parts
  const checkJwt = createJwtCheck(parts.providers, parts.fetch ?? ((url, options) => fetch(url, options)), now)
  const users = createFailureLimiter(perUser, now)
  const clients = createFailureLimiter(perClient, now)
  const known = (name: string): KnownIdentity | undefined => identities().find((identity) => identity.name === name)

  const provedBy = (record: TokenRecord): Proved => ({
    identity: record.login === null ? configuredOf(record, known) : loggedInOf(record, record.login, known, parts.providers),
    token: { id: record.id, expiresAt: record.expiresAt },
  })

  const provedByCertificate = async (line: string, { user, address }: LoginProof): Promise<Proved> => {
    if (parts.certificates === undefined) throw new Refusal('certificates are of no configured authority')
    const certified = certifiedBy(line, parts.certificates, { user, address, now: now(), known })
    if (certified.kind === 'configured') return certifiedIdentity(certified)
    const record = await tokens.byId(certified.token)
    if (record === undefined || record.identity !== certified.name)
      throw new Refusal('the certificate is of no token that is known')
    if (!isLive(record, now())) throw new Refusal(`token ${record.id} is expired or revoked`)
    return sooner(provedBy(record), certified.expiresAt)
  }

  const identify = async (login: LoginProof): Promise<Proved> => {
    const { user, proof } = login
    if (proof.kind === 'challenge') return provedBy(await tokenAnswering(proof.answers, user, tokens, now()))
    if (proof.kind === 'publicKey') return provedByKey(proof.key, user, identities())
    if (proof.kind === 'certificate') return provedByCertificate(proof.certificate, login)
    const token = proof.token.reveal()
    if (!looksLikeJwt(token)) return provedBy(await tokenInClear(token, user, tokens, now()))
    if (!login.tls && !login.loopback) throw new Refusal('a JWT came over a connection without TLS')
    return provedByJwt(await checkJwt(token), user, known)
  }

  return {
    challenge: async (user) => {
      const challenge = { salt: scramSalt(secret, user), iterations: scramIterations }
      if (parts.providers.length === 0) return challenge
      // Where the table cannot be read the login fails anyway, and is told so by `prove`; nobody is asked for a clear proof for that.
      const records = await tokens.byIdentity(user).catch(() => undefined)
      const askClear = records !== undefined && !records.some((record) => isLive(record, now()))
      return askClear ? { ...challenge, clear: true } : challenge
    },
    prove: async (login) => {
      const client = clientOf(login.address)
      const user = `${client} ${login.user}`
      try {
        if (clients.blocked(client) || users.blocked(user)) throw new Refusal('too many failed logins')
        return await identify(login)
      } catch (error) {
        if (isCallersFault(error) && isGuess(login.proof)) {
          clients.failed(client)
          users.failed(user)
        }
        const { address, proof } = login
        parts.onFailure?.(error instanceof Error ? error.message : String(error), { user: login.user, address, proof: proof.kind })
        throw new Denied('unauthenticated', 'login failed: there is no such identity, or its token is wrong, expired or revoked')
      }
    },
  }
}

/** Who signed with a key did not guess it; and honest clients show each of their keys in turn before the one that counts. */
function isGuess({ kind }: Proof): boolean {
  return kind === 'token' || kind === 'challenge'
}

async function tokenInClear(token: string, user: string, tokens: Pick<TokenTable, 'byLookup'>, now: number): Promise<TokenRecord> {
  const lookup = lookupOf(token)
  const record = await tokens.byLookup(lookup)
  if (record === undefined || !same(record.lookup, lookup)) throw new Refusal('there is no such token')
  if (!isLive(record, now)) throw new Refusal(`token ${record.id} is expired or revoked`)
  if (user !== '' && user !== record.identity) throw new Refusal(`token ${record.id} is not of this user`)
  return record
}

async function tokenAnswering(
  answers: Extract<Proof, { kind: 'challenge' }>['answers'],
  user: string,
  tokens: Pick<TokenTable, 'byIdentity'>,
  now: number,
): Promise<TokenRecord> {
  if (user === '') throw new Refusal('a challenge was answered for nobody')
  const live = (await tokens.byIdentity(user)).filter((record) => record.identity === user && isLive(record, now))
  const newest = live.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime()).slice(0, maxTokensTried)
  const record = newest.find((candidate) => answers(candidate.verifiers))
  if (record === undefined) throw new Refusal(`the answer fits none of ${newest.length} live tokens`)
  return record
}

function configuredOf(record: TokenRecord, known: (name: string) => KnownIdentity | undefined): Identity {
  const identity = known(record.identity)
  if (identity === undefined) throw new Refusal(`token ${record.id} is of ${record.identity}, who is no longer configured`)
  const { name, kind, groups } = identity
  return { id: name, name, kind, groups, ...(record.onBehalfOf === null ? {} : { onBehalfOf: record.onBehalfOf }) }
}

/** A person of a provider, as they were when they logged in. */
function loggedInOf(
  record: TokenRecord,
  login: ProviderLogin,
  known: (name: string) => KnownIdentity | undefined,
  providers: readonly OidcProvider[],
): Identity {
  if (!providers.some(({ name }) => name === login.provider))
    throw new Refusal(`token ${record.id} is of a login at ${login.provider}, which is no longer configured`)
  if (known(record.identity) !== undefined)
    throw new Refusal(`token ${record.id} is of ${record.identity}, whose name is an identity of the configuration now`)
  return { id: login.id, name: record.identity, kind: 'person', groups: login.groups }
}

function provedByJwt(jwt: CheckedJwt, user: string, known: (name: string) => KnownIdentity | undefined): Proved {
  const identity = identityFrom(jwt.claims, jwt.provider, known)
  if (user !== '' && user !== identity.name) throw new Refusal('the JWT is not of this user')
  return { identity, token: { id: jwt.id, expiresAt: jwt.expiresAt } }
}

function certifiedIdentity({ identity, id, expiresAt }: CertifiedLogin & { kind: 'configured' }): Proved {
  const { name, kind, groups } = identity
  return { identity: { id: name, name, kind, groups }, ...(expiresAt === undefined ? {} : { token: { id, expiresAt } }) }
}

/** A session ends with its token or its certificate, whichever ends first. */
function sooner(proved: Proved, expiresAt: Date | undefined): Proved {
  const { token } = proved
  if (token === undefined || expiresAt === undefined || token.expiresAt <= expiresAt) return proved
  return { ...proved, token: { ...token, expiresAt } }
}

/** The signature was checked by the protocol; whose key it is, is told here. */
function provedByKey(key: string, user: string, identities: readonly KnownIdentity[]): Proved {
  const bare = withoutComment(key)
  const owners = identities.filter((identity) => identity.sshKeys?.some((line) => withoutComment(line) === bare) === true)
  const named = user === '' ? owners : owners.filter((identity) => identity.name === user)
  const [owner, another] = named
  if (owner === undefined) throw new Refusal('the key is of no configured identity')
  if (another !== undefined) throw new Refusal(`the key is of several identities and the client named none of them`)
  return { identity: { id: owner.name, name: owner.name, kind: owner.kind, groups: owner.groups } }
}

function withoutComment(line: string): string {
  return line.trim().split(/\s+/).slice(0, 2).join(' ')
}

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
