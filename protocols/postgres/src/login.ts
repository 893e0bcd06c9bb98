// The client's end of the login, in the order of the specification: negotiation of TLS, the start-up packet, the proof of who calls.

import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { isKnownError, Malformed, secret } from '@sallyport/core'
import type { ClientConnection, ClientFacts, Gate, Proof, ReviewNotice, Session } from '@sallyport/core'
import { acceptTls, ByteReader } from '@sallyport/wire'
import { readCancel } from './cancel.js'
import type { CancelKey } from './cancel.js'
import { Body, errorResponse, fromClient, fromUpstream, int32, message } from './messages.js'
import { ScramServer, scramPlain, scramPlus } from './scram.js'
import { allowedSettings, codes, maxStartupBytes, readStartup } from './startup.js'
import type { Startup } from './startup.js'
import { wordFatal } from './wording.js'

/** PG_MAX_AUTH_TOKEN_LENGTH of the server (src/backend/libpq/auth.c); JWTs fit well. */
const maxProofBytes = 65_535
const tlsRecord = 0x16

/** A connection after its TLS negotiation: what came, and over what. */
type Opened =
  | { readonly kind: 'startup'; readonly startup: Startup; readonly line: Line }
  | { readonly kind: 'cancel'; readonly key: CancelKey; readonly line: Line }

interface Line {
  readonly stream: Duplex
  readonly reader: ByteReader
  readonly tls: boolean
}

export interface Admitted {
  readonly session: Session
  readonly stream: Duplex
  /** Bytes read ahead. */
  readonly early: Buffer
  readonly minor: number
  readonly settings: ReadonlyMap<string, string>
}

/** Resolves with a cancel key, or an admitted session. `AuthenticationOk` was sent, nothing after it. Throws what is known after telling the client. */
export async function greet(
  client: ClientConnection,
  gate: Gate,
): Promise<Admitted | { readonly cancel: CancelKey; readonly stream: Duplex }> {
  const late = new AbortController()
  const timer = setTimeout(
    () => late.abort(new Malformed('client', 'login-timeout', 'the login took too long')),
    gate.limits.loginMs,
  )
  try {
    const opened = await open(client.stream, gate, late.signal)
    if (opened.kind === 'cancel') return { cancel: opened.key, stream: opened.line.stream }
    return await admit(opened.startup, opened.line, client.facts, gate, () => clearTimeout(timer))
  } finally {
    clearTimeout(timer)
  }
}

async function open(stream: Duplex, gate: Gate, deadline: AbortSignal): Promise<Opened> {
  let line: Line = { stream, reader: new ByteReader(stream, 'client', deadline), tls: false }
  let gssRefused = false
  for (;;) {
    const first = await line.reader.peek(1)
    if (first[0] === tlsRecord && !line.tls && !gssRefused) {
      line = await directTls(line, gate, deadline)
      continue
    }
    const head = await line.reader.read(8)
    const size = head.readUInt32BE(0)
    const code = head.readUInt32BE(4)
    if (size < 8 || size > maxStartupBytes)
      throw new Malformed('client', 'malformed-startup', 'this is not a Postgres start-up packet')
    if (code === codes.tls && size === 8 && !line.tls) line = await negotiatedTls(line, gate, deadline)
    else if (code === codes.gss && size === 8 && !gssRefused) {
      gssRefused = true
      line.stream.write('N')
    } else {
      const packet = Buffer.concat([head, await line.reader.read(size - 8)])
      if (code === codes.cancel) return { kind: 'cancel', key: readCancel(packet), line }
      return { kind: 'startup', startup: await told(line.stream, () => readStartup(packet)), line }
    }
  }
}

/** Bytes sent ahead of TLS were not protected by it, and must not be taken for what comes after (CVE-2021-23214). */
async function negotiatedTls(line: Line, gate: Gate, deadline: AbortSignal): Promise<Line> {
  if (line.reader.buffered > 0) throw new Malformed('client', 'bytes-before-tls', 'bytes came in the clear after the TLS request')
  line.stream.write('S')
  return secured(line.stream, gate, deadline, false)
}

/** TLS without asking first (PostgreSQL 17, sslnegotiation=direct): ALPN must say that Postgres is meant. */
async function directTls(line: Line, gate: Gate, deadline: AbortSignal): Promise<Line> {
  line.stream.unshift(line.reader.detach())
  return secured(line.stream, gate, deadline, true)
}

async function secured(stream: Duplex, gate: Gate, deadline: AbortSignal, requireAlpn: boolean): Promise<Line> {
  const secure = await acceptTls(stream, { context: gate.tls.context, alpn: ['postgresql'], requireAlpn, deadline })
  return { stream: secure, reader: new ByteReader(secure, 'client', deadline), tls: true }
}

async function told<T>(stream: Duplex, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (isKnownError(error) && !stream.destroyed) stream.write(errorResponse(wordFatal(error)))
    throw error
  }
}

async function admit(startup: Startup, line: Line, facts: ClientFacts, gate: Gate, proved: () => void): Promise<Admitted> {
  const { stream, reader } = line
  return told(stream, async () => {
    const settings = allowedSettings(startup.parameters)
    const user = startup.parameters.get('user') ?? ''
    if (user === '') throw new Malformed('client', 'no-user', 'the start-up packet names no user')
    if (startup.negotiation !== undefined) stream.write(startup.negotiation)
    const exchange = await prove(user, line, facts, gate)
    proved()
    const application = startup.parameters.get('application_name')
    const client: ClientFacts = { ...facts, tls: line.tls, ...(application === undefined ? {} : { application }) }
    const target = startup.parameters.get('database') ?? user
    let accepted = false
    const accept = (): void => {
      if (accepted) return
      accepted = true
      stream.write(Buffer.concat([exchange.final(), message(fromUpstream.authentication, int32(0))]))
    }
    // While a connection waits for review the proof is already known to be good, so the client may be told so, and told why it waits.
    const onWait = (notice: ReviewNotice): void => {
      accept()
      stream.write(errorResponse({ severity: 'NOTICE', code: '00000', message: notice.text }))
    }
    const gone = new AbortController()
    const left = (): void => gone.abort()
    stream.once('close', left)
    const session = await gate.admit(
      { user, target, protocol: 'postgres', proof: exchange.proof, client },
      { onWait, signal: gone.signal },
    )
    stream.off('close', left)
    accept()
    return { session, stream, early: reader.detach(), minor: startup.minor, settings }
  })
}

interface Exchange {
  readonly proof: Proof
  /** What SCRAM still has to say before AuthenticationOk, once the proof was found good. */
  readonly final: () => Buffer
}

async function prove(user: string, line: Line, facts: ClientFacts, gate: Gate): Promise<Exchange> {
  const challenge = await gate.challenge(user)
  if (challenge.clear === true && (line.tls || facts.loopback)) return clearPassword(line)
  const binding = line.tls ? createHash('sha256').update(gate.tls.certificate).digest() : undefined
  const mechanisms = binding === undefined ? [scramPlain] : [scramPlus, scramPlain]
  line.stream.write(message(fromUpstream.authentication, int32(10), ...mechanisms, Buffer.from([0])))
  const initial = new Body(await readProof(line.reader), 'client')
  const mechanism = initial.text()
  if (!mechanisms.includes(mechanism))
    throw new Malformed('client', 'sasl-malformed', `SASL mechanism ${mechanism} was not offered`)
  const scram = new ScramServer(challenge, binding)
  const first = initial.bytes(initial.int32())
  initial.end()
  line.stream.write(message(fromUpstream.authentication, int32(11), scram.open(mechanism, first)))
  const last = new Body(await readProof(line.reader), 'client')
  const { answers, final } = scram.close(last.bytes(last.left))
  return {
    proof: { kind: 'challenge', answers },
    final: () => message(fromUpstream.authentication, int32(12), final()),
  }
}

async function clearPassword(line: Line): Promise<Exchange> {
  line.stream.write(message(fromUpstream.authentication, int32(3)))
  const body = new Body(await readProof(line.reader), 'client')
  const token = body.text()
  body.end()
  return { proof: { kind: 'token', token: secret(token) }, final: () => Buffer.alloc(0) }
}

async function readProof(reader: ByteReader): Promise<Buffer> {
  const head = await reader.read(5)
  const size = head.readUInt32BE(1)
  if (head[0] !== fromClient.password || size < 4 || size > maxProofBytes) {
    throw new Malformed('client', 'malformed-message', 'a password or SASL message was expected')
  }
  return Buffer.concat([head, await reader.read(size - 4)])
}
