// The client's end of the login: we speak first, then TLS where it is asked for, then a proof. Access tokens are checked by challenge;
// whatever cannot be (a JWT, a client that wants to send its password) travels only under TLS, under our RSA key, or on loopback.

import { constants, generateKeyPair, privateDecrypt, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { promisify } from 'node:util'
import { Denied, isKnownError, Malformed, secret } from '@sallyport/core'
import type { ClientConnection, ClientFacts, Gate, Proof, Session } from '@sallyport/core'
import { acceptTls } from '@sallyport/wire'
import { PacketLine } from './packet-reader.js'
import { capability, errorPayload, reply, uint } from './packets.js'
import { readResponse, tlsRequestBytes, writeAuthSwitch, writeGreeting } from './handshake.js'
import type { HandshakeResponse } from './handshake.js'
import { cachingSha2, checks, clear, native, xor } from './scramble.js'
import { wordFatal } from './wording.js'

/**
 * What both ends can be held to. Left out, because what they bring could not be looked into or differs by server: COMPRESS, ZSTD, LOCAL_FILES,
 * OPTIONAL_RESULTSET_METADATA, QUERY_ATTRIBUTES, IGNORE_SPACE (changes how text is read), and all of MariaDB's own.
 */
const offered =
  capability.longPassword |
  capability.foundRows |
  capability.longFlag |
  capability.connectWithDb |
  capability.odbc |
  capability.protocol41 |
  capability.interactive |
  capability.tls |
  capability.transactions |
  capability.secureConnection |
  capability.multiStatements |
  capability.multiResults |
  capability.psMultiResults |
  capability.pluginAuth |
  capability.connectAttributes |
  capability.authLenenc |
  capability.sessionTrack |
  capability.deprecateEof

const wants = { publicKey: 0x02, fastDone: 0x03, full: 0x04 } as const

export interface Admitted {
  readonly session: Session
  readonly line: PacketLine
  /** What the client chose of what was offered. */
  readonly capabilities: number
  readonly threadId: number
  readonly client: ClientFacts
}

export interface Greeter {
  readonly version: string
  readonly threadId: number
  readonly rsaKey: RsaKey
}

export type RsaKey = () => Promise<{ readonly publicPem: string; readonly privateKey: KeyObject }>

/** Made once, when the first client asks for it. */
export function rsaKeyMaker(): RsaKey {
  let made: ReturnType<RsaKey> | undefined
  return () =>
    (made ??= promisify(generateKeyPair)('rsa', { modulusLength: 2048 }).then(({ publicKey, privateKey }) => ({
      publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      privateKey,
    })))
}

/** Throws Denied or Malformed after the client was told; whoever calls only hangs up. */
export async function greet(connection: ClientConnection, gate: Gate, { version, threadId, rsaKey }: Greeter): Promise<Admitted> {
  const patience = new AbortController()
  const late = (): void => patience.abort(new Denied('login-timeout', 'the login took too long'))
  const { loginMs } = gate.limits
  let timer: NodeJS.Timeout | undefined
  const clock = {
    start: () => void (timer = loginMs > 0 ? setTimeout(late, loginMs) : undefined),
    stop: () => clearTimeout(timer),
  }
  clock.start()
  const line = new PacketLine(connection.stream, 'client', patience.signal)
  let last = line
  try {
    const nonce = makeNonce()
    line.write(writeGreeting({ version, threadId, nonce, capabilities: offered, plugin: cachingSha2 }))
    const first = await line.read()
    const secured = first.length === tlsRequestBytes ? await startTls(line, first, gate, patience.signal) : line
    last = secured
    const response = readResponse(secured === line ? first : await secured.read())
    const client = factsOf(connection.facts, secured !== line, response)
    const login = new Login({ line: secured, gate, nonce, response, client, rsaKey, clock })
    const session = await login.admit()
    return { session, line: secured, capabilities: response.capabilities & offered, threadId, client }
  } catch (error) {
    if (isKnownError(error) && !last.stream.destroyed) last.write(errorPayload(wordFatal(error)))
    throw error
  } finally {
    clock.stop()
  }
}

/** 20 bytes that are neither NUL nor above ASCII: clients treat them as a C string. */
function makeNonce(): Buffer {
  return Buffer.from(randomBytes(20).map((byte) => 1 + (byte % 127)))
}

/** A client goes on with TLS without waiting: what is here already belongs to it, and is read by nobody else. */
async function startTls(line: PacketLine, request: Buffer, gate: Gate, deadline: AbortSignal): Promise<PacketLine> {
  if ((request.readUInt32LE(0) & capability.tls) === 0)
    throw new Malformed('client', 'malformed-packet', 'the login packet is too short')
  const ahead = line.detach()
  if (ahead.length > 0) line.stream.unshift(ahead)
  const stream: Duplex = await acceptTls(line.stream, { context: gate.tls.context, alpn: [], requireAlpn: false, deadline })
  return new PacketLine(stream, 'client', deadline, line.sequence)
}

function factsOf(facts: ClientFacts, tls: boolean, { attributes }: HandshakeResponse): ClientFacts {
  const application = attributes.get('program_name') ?? attributes.get('_client_name')
  return { ...facts, tls, ...(application === undefined ? {} : { application: application.slice(0, 200) }) }
}

interface LoginParts {
  readonly line: PacketLine
  readonly gate: Gate
  readonly nonce: Buffer
  readonly response: HandshakeResponse
  readonly client: ClientFacts
  readonly rsaKey: RsaKey
  /** Stands still while a proof is looked at: people may take their time (a review of the connection). */
  readonly clock: { readonly start: () => void; readonly stop: () => void }
}

class Login {
  readonly #parts: LoginParts
  readonly #user: string
  readonly #target: string
  #plugin: string
  #answer: Buffer
  #nonce: Buffer

  constructor(parts: LoginParts) {
    this.#parts = parts
    const { user, database, plugin, answer } = parts.response
    const colon = user.indexOf(':')
    const named = colon < 0 ? '' : user.slice(colon + 1)
    this.#user = colon < 0 ? user : user.slice(0, colon)
    this.#target = named === '' ? database : database === '' || database === named ? named : `${named}.${database}`
    this.#plugin = plugin
    this.#answer = answer
    this.#nonce = parts.nonce
    if (this.#user === '') throw new Malformed('client', 'no-user', 'the login names no user')
    if (this.#target === '') throw new Denied('not-granted', 'name the target as the database, or log in as IDENTITY:TARGET')
  }

  async admit(): Promise<Session> {
    const { clear: onlyClear } = await this.#parts.gate.challenge(this.#user)
    if (this.#plugin === clear) return this.#enter(this.#tokenOf(this.#answer))
    if (onlyClear === true) return this.#identityToken()
    const fitting = checks(this.#plugin, this.#answer, this.#nonce) ?? (await this.#switched(cachingSha2))
    if (fitting === undefined) return this.#full()
    if (this.#plugin === native) return this.#enter({ kind: 'challenge', answers: fitting })
    return this.#fastOrFull(fitting)
  }

  /** What an identity provider gives is longer than an RSA key can cover (2048 bits: 214 bytes), so there is no way but TLS. */
  #identityToken(): Promise<Session> {
    if (this.#parts.client.tls) return this.#full()
    throw new Denied(
      'unauthenticated',
      'login failed: there is no access token for this user; a token of an identity provider needs TLS',
    )
  }

  /** The fast path of caching_sha2_password; where it fails, the client may still bring a token or JWT in full. */
  async #fastOrFull(answers: Extract<Proof, { kind: 'challenge' }>['answers']): Promise<Session> {
    let session
    try {
      session = await this.#enter({ kind: 'challenge', answers })
    } catch (error) {
      if (!(error instanceof Denied) || error.code !== 'unauthenticated') throw error
      return this.#full()
    }
    this.#parts.line.write(Buffer.from([reply.moreAuth, wants.fastDone]))
    return session
  }

  async #switched(plugin: string): Promise<ReturnType<typeof checks>> {
    if (this.#plugin === plugin) return undefined
    const { line } = this.#parts
    this.#plugin = plugin
    this.#nonce = makeNonce()
    line.write(writeAuthSwitch(plugin, this.#nonce))
    this.#answer = await line.read()
    return checks(plugin, this.#answer, this.#nonce)
  }

  /** The password itself: in clear under TLS or on loopback, else under our RSA key (sql_authentication.cc, caching_sha2_password). */
  async #full(): Promise<Session> {
    const { line, client, rsaKey } = this.#parts
    if (this.#plugin !== cachingSha2) await this.#switched(cachingSha2)
    // An empty answer is an empty password; such a client waits for no more than a verdict.
    if (this.#answer.length === 0) return this.#enter({ kind: 'token', token: secret('') })
    line.write(Buffer.from([reply.moreAuth, wants.full]))
    const sent = await line.read()
    if (client.tls || sent.length !== 1 || sent[0] !== wants.publicKey) return this.#enter(this.#tokenOf(sent))
    const { publicPem, privateKey } = await rsaKey()
    line.write(Buffer.concat([uint(reply.moreAuth, 1), Buffer.from(publicPem)]))
    const encrypted = await line.read()
    return this.#enter(tokenIn(xor(decrypted(encrypted, privateKey), this.#nonce)))
  }

  #tokenOf(sent: Buffer): Proof {
    const { client } = this.#parts
    if (!client.tls && !client.loopback) throw new Denied('unauthenticated', 'a password in clear is taken only under TLS')
    return tokenIn(sent)
  }

  async #enter(proof: Proof): Promise<Session> {
    const { gate, client, line, clock } = this.#parts
    const gone = new AbortController()
    const left = (): void => gone.abort()
    line.stream.once('close', left)
    clock.stop()
    try {
      return await gate.admit({ user: this.#user, target: this.#target, protocol: 'mysql', proof, client }, { signal: gone.signal })
    } finally {
      line.stream.off('close', left)
      // A proof that was not enough leaves the client with one more to give, in time.
      clock.start()
    }
  }
}

function tokenIn(sent: Buffer): Proof {
  const end = sent.indexOf(0)
  return { kind: 'token', token: secret(sent.toString('utf8', 0, end < 0 ? sent.length : end)) }
}

function decrypted(encrypted: Buffer, key: KeyObject): Buffer {
  try {
    return privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, encrypted)
  } catch (cause) {
    throw new Malformed('client', 'not-decryptable', 'the encrypted password cannot be read', { cause })
  }
}
