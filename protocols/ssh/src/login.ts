// The client's end of the login: who calls, for which target, and what shows it.

import { Denied, secret } from '@sallyport/core'
import ssh2 from 'ssh2'
import type { ClientFacts, Gate, Login, Proof, ReviewNotice, Session } from '@sallyport/core'
import type { AuthContext, Connection, PublicKeyAuthContext } from 'ssh2'
import { signaturesOf } from './algorithms.js'

/** `user` in `user@gateway`: `TARGET`, where a key or token tells who calls, or `IDENTITY:TARGET`. */
export function readUser(user: string): { readonly identity: string; readonly target: string } {
  const colon = user.lastIndexOf(':')
  return colon < 0 ? { identity: '', target: user } : { identity: user.slice(0, colon), target: user.slice(colon + 1) }
}

/** What a login came to: a session, or the reason why there is none, to be told on the first channel. */
export type Entered = { readonly session: Session } | { readonly refusal: Denied }

/** OpenSSH's MaxAuthTries is 6; a query before each signature doubles it, and agents hold several keys. */
const maxTries = 20
/** PG_MAX_AUTH_TOKEN_LENGTH is as good a limit here: JWTs fit well. */
const maxTokenBytes = 65_535

const methods: ('publickey' | 'password')[] = ['publickey', 'password']

/** Resolves once the client is authenticated, or with undefined where it gave up. `signal` is aborted when the client is gone. */
export function enter(connection: Connection, facts: ClientFacts, gate: Gate, signal: AbortSignal): Promise<Entered | undefined> {
  return new Promise((resolve) => {
    let tries = 0
    const give = (): void => {
      resolve(undefined)
      connection.end()
    }
    const late = setTimeout(give, gate.limits.loginMs)
    signal.addEventListener('abort', () => {
      clearTimeout(late)
      resolve(undefined)
    })
    connection.on('authentication', (context: AuthContext) => {
      tries += 1
      if (tries > maxTries) return give()
      const proof = proofIn(context)
      if (proof === 'asks') return context.accept()
      if (proof === undefined) return context.reject(methods)
      const { identity, target } = readUser(context.username)
      const login: Login = { user: identity, target, protocol: 'ssh', proof, client: { ...facts, tls: true } }
      const waiting = (): void => clearTimeout(late)
      void admit(login, gate, signal, waiting).then((entered) => {
        if (entered === 'not proved') return context.reject(methods)
        clearTimeout(late)
        if (signal.aborted) return void ('session' in entered && entered.session.close('client gone'))
        resolve(entered)
        context.accept()
      })
    })
  })
}

async function admit(login: Login, gate: Gate, signal: AbortSignal, waiting: () => void): Promise<Entered | 'not proved'> {
  const onWait = (notice: ReviewNotice): void => {
    // People take longer than a login may.
    waiting()
    gate.log('info', 'a connection waits for review', { review: notice.review })
  }
  try {
    return { session: await gate.admit(login, { signal, onWait }) }
  } catch (error) {
    if (error instanceof Denied && error.code === 'unauthenticated') {
      gate.log('info', 'login failed', { client: login.client.address, code: error.code, reason: error.message })
      return 'not proved'
    }
    if (error instanceof Denied) return { refusal: error }
    gate.log('error', 'a login could not be finished', { client: login.client.address, reason: String(error) })
    return { refusal: new Denied('gateway-fault', 'the gateway met a fault of its own') }
  }
}

/** `asks`: whether a signature by this key would be looked at. It always is; whose key it is, only a signature may learn. */
function proofIn(context: AuthContext): Proof | 'asks' | undefined {
  if (context.method === 'publickey') return keyProof(context)
  if (context.method !== 'password') return undefined
  const { password } = context
  return typeof password === 'string' && password.length <= maxTokenBytes ? { kind: 'token', token: secret(password) } : undefined
}

function keyProof(context: PublicKeyAuthContext): Proof | 'asks' | undefined {
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
