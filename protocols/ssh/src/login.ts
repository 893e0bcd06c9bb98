// The client's end of the login: who calls, for which target, and what shows it.

import { signaturesOf } from '@sallyport/certificates'
import { Denied, isKnownError, isSameIdentity, secret } from '@sallyport/core'
import ssh2 from 'ssh2'
import type { ClientFacts, CodeLogins, Gate, Identity, Login, Proof, ReviewNotice, Session } from '@sallyport/core'
import type { AuthContext, AuthenticationType, Connection, KeyboardAuthContext, PublicKeyAuthContext } from 'ssh2'
import { certificateProof, certifiedKeyType } from './certificate-proof.js'
import type { Jump } from './jump.js'
import { askPerson, byCode, maxTokenCharacters } from './ask-person.js'

/** `user` in `user@gateway`: `TARGET`, where a key or token tells who calls, or `IDENTITY:TARGET`. */
export function readUser(user: string): { readonly identity: string; readonly target: string } {
  const colon = user.lastIndexOf(':')
  return colon < 0 ? { identity: '', target: user } : { identity: user.slice(0, colon), target: user.slice(colon + 1) }
}

/** What a login came to: a session, or the reason why there is none, to be told on the first channel. */
export type Entered =
  | { readonly session: Session }
  /** `caller`: who they are, where they are known and named no target of theirs; they may still jump to one. */
  | { readonly refusal: Denied; readonly caller?: Identity }

/** OpenSSH's MaxAuthTries is 6; a query before each signature doubles it, and agents hold several keys. */
const maxTries = 20

export interface EnterParts {
  readonly facts: ClientFacts
  readonly gate: Gate
  readonly logins: CodeLogins
  readonly jump: Jump | undefined
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal
}

/** Resolves once the client is authenticated, or with undefined where it gave up. */
export function enter(connection: Connection, parts: EnterParts): Promise<Entered | undefined> {
  const { gate, logins, signal } = parts
  return new Promise((resolve) => {
    let tries = 0
    let latest: AuthContext | undefined
    let asked = byCode(logins).length === 0
    const methods = (): AuthenticationType[] =>
      asked ? ['publickey', 'password'] : ['publickey', 'keyboard-interactive', 'password']
    let over = false
    const give = (): void => {
      over = true
      resolve(undefined)
      connection.end()
    }
    let late = setTimeout(give, gate.limits.loginMs)
    signal.addEventListener('abort', () => {
      over = true
      clearTimeout(late)
      resolve(undefined)
    })
    const waitUntil = (until: number): void => {
      clearTimeout(late)
      late = setTimeout(give, Math.max(until - Date.now(), 0) + gate.limits.loginMs)
    }
    const askAtProvider = async (context: KeyboardAuthContext): Promise<void> => {
      const proof = await ask(context, parts, (until) => waitUntil(until.getTime()))
      // The longer wait was for the person; what follows without one has no more than any login.
      if (proof === undefined && !over) waitUntil(Date.now())
      await show(context, proof)
    }
    const show = async (context: AuthContext, proof: Proof | undefined): Promise<void> => {
      const entered = proof === undefined ? 'not proved' : await admit(context, proof, parts, () => clearTimeout(late))
      if (entered === 'not proved') return context.reject(methods())
      clearTimeout(late)
      // RFC 4252, section 5.1: another request takes the place of one that waits for a person.
      const gone = over || signal.aborted || context !== latest
      if (gone) return void ('session' in entered && entered.session.close('client gone'))
      resolve(entered)
      context.accept()
    }
    connection.on('authentication', (context: AuthContext) => {
      tries += 1
      latest = context
      if (tries > maxTries) return give()
      if (context.method === 'keyboard-interactive' && !asked) {
        // Once a connection: each asks the provider.
        asked = true
        return void askAtProvider(context)
      }
      const proof = proofIn(context)
      if (proof === 'asks') context.accept()
      else void show(context, proof)
    })
  })
}

function ask(
  context: KeyboardAuthContext,
  { facts, gate, logins, signal }: EnterParts,
  onWait: (until: Date) => void,
): Promise<Proof | undefined> {
  const instead = new AbortController()
  context.once('abort', () => instead.abort())
  const given = { logins, from: facts.address, signal: AbortSignal.any([signal, instead.signal]), onWait }
  return askPerson(context, given).catch((error: unknown) => {
    gate.log('error', 'bug: a login by keyboard-interactive failed in an unexpected way', {
      client: facts.address,
      reason: String(error),
    })
    return undefined
  })
}

async function admit(
  context: AuthContext,
  proof: Proof,
  { facts, gate, jump, signal }: EnterParts,
  waiting: () => void,
): Promise<Entered | 'not proved'> {
  const login = loginOf(context.username, proof, facts, jump)
  const onWait = (notice: ReviewNotice): void => {
    // People take longer than a login may.
    waiting()
    gate.log('info', 'a connection waits for review', { review: notice.review })
  }
  try {
    if (jump !== undefined) await requireSame(login, jump, gate)
    return { session: await gate.admit(login, { signal, onWait }) }
  } catch (error) {
    if (error instanceof Denied && error.code === 'unauthenticated') {
      gate.log('info', 'login failed', { client: login.client.address, code: error.code, reason: error.message })
      return 'not proved'
    }
    if (error instanceof Denied) return refused(error, login, jump, gate)
    gate.log('error', 'a login could not be finished', { client: login.client.address, reason: String(error) })
    return { refusal: new Denied('gateway-fault', isKnownError(error) ? error.message : 'the gateway met a fault of its own') }
  }
}

/** Inside a jump the channel says which target, and the name before `@` says at most who calls: it is usually that of the local user. */
function loginOf(username: string, proof: Proof, facts: ClientFacts, jump: Jump | undefined): Login {
  const { identity, target } = readUser(username)
  return { user: identity, target: jump?.target ?? target, protocol: 'ssh', proof, client: { ...facts, tls: true } }
}

/** Whoever came as one may not go on as another: the outer login vouches for where the inner one comes from. Throws Denied. */
async function requireSame(login: Login, jump: Jump, gate: Gate): Promise<void> {
  const inner = await gate.identify(login)
  if (isSameIdentity(inner, jump.caller)) return
  gate.log('warn', 'a jump was begun as one identity and went on as another', { outer: jump.caller.name, inner: inner.name })
  throw new Denied('unauthenticated', 'the login inside a jump is of another identity than the one outside')
}

async function refused(refusal: Denied, login: Login, jump: Jump | undefined, gate: Gate): Promise<Entered> {
  if (refusal.code !== 'not-granted' || jump !== undefined) return { refusal }
  const caller = await gate.identify(login).catch(() => undefined)
  return { refusal, ...(caller === undefined ? {} : { caller }) }
}

/** `asks`: whether a signature by this key would be looked at. It always is; whose key it is, only a signature may learn. */
function proofIn(context: AuthContext): Proof | 'asks' | undefined {
  if (context.method === 'publickey') return keyProof(context)
  if (context.method !== 'password') return undefined
  const { password } = context
  return typeof password === 'string' && password.length <= maxTokenCharacters
    ? { kind: 'token', token: secret(password) }
    : undefined
}

function keyProof(context: PublicKeyAuthContext): Proof | 'asks' | undefined {
  if (certifiedKeyType(context.key.algo) !== undefined) return certificateProof(context)
  const parsed = ssh2.utils.parseKey(context.key.data)
  const key = Array.isArray(parsed) ? parsed[0] : parsed
  if (key === undefined || key instanceof Error) return undefined
  // `algo` is how the client says it signs: a key of ours signs with nothing weaker than SHA-2.
  if (signaturesOf(key.type).length === 0) return undefined
  const { signature, blob, hashAlgo } = context
  if (signature === undefined || blob === undefined) return 'asks'
  if (key.type === 'ssh-rsa' && hashAlgo !== 'sha256' && hashAlgo !== 'sha512') return undefined
  if (key.verify(blob, signature, hashAlgo) !== true) return undefined
  return { kind: 'publicKey', key: `${key.type} ${key.getPublicSSH().toString('base64')}` }
}
