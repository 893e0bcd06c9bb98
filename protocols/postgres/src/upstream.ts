// The target's end of the login: TLS as the target asks for it, the stored credential, and what the server says of itself.

import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Malformed, Unreachable } from '@sallyport/core'
import type { Credential, Target, Upstream } from '@sallyport/core'
import { ByteReader, offerTls } from '@sallyport/wire'
import { Body, fromClient, fromUpstream, int32, message, readFields } from './messages.js'
import type { CancelKey } from './cancel.js'
import { endPointBinding, ScramClient } from './scram.js'
import { codes } from './startup.js'

/** How long the target may take from TLS to ReadyForQuery. */
const loginMs = 30_000
/** Messages of a login are short; the longest is a SASL exchange or an error with its context. */
const maxLoginMessageBytes = 65_536

interface TlsOptions {
  readonly host: string
  readonly servername?: string
  readonly ca?: string
  readonly rejectUnauthorized: boolean
  readonly ALPNProtocols: string[]
}

/** How a target was reached, so that a cancel request can be sent the same way. */
export interface Reached {
  readonly host: string
  readonly port: number
  readonly tls: TlsOptions | undefined
}

export interface LoggedIn {
  readonly stream: Duplex
  /** Bytes read ahead. */
  readonly early: Buffer
  readonly reached: Reached
  readonly key: CancelKey
  /** ParameterStatus as the server reported it. */
  readonly reported: ReadonlyMap<string, string>
}

/** Logs in with the stored credential. Throws Unreachable; its message never holds more than the server's SQLSTATE. */
export async function logIn(
  target: Target,
  upstream: Upstream,
  settings: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<LoggedIn> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(loginMs)])
  try {
    const tls = target.tls === 'off' ? undefined : tlsOptions(target, upstream)
    const stream = tls === undefined ? upstream.stream : await startTls(upstream.stream, tls, target, deadline)
    const login = new Login(stream, deadline, target.name)
    stream.write(startupPacket(upstream, settings))
    await login.authenticate(upstream.credential, tls !== undefined || isLoopback(upstream.host))
    const { key, reported } = await login.ready()
    return { stream, early: login.detach(), reached: { host: upstream.host, port: upstream.port, tls }, key, reported }
  } catch (error) {
    upstream.stream.destroy()
    if (error instanceof Unreachable) throw error
    const why = deadline.aborted ? 'it took too long' : 'it broke the protocol'
    throw new Unreachable('target-login-failed', `login at target ${target.name} failed: ${why}`, { cause: error })
  }
}

function tlsOptions(target: Target, upstream: Upstream): TlsOptions {
  return {
    host: upstream.host,
    ...(isIP(upstream.host) ? {} : { servername: upstream.host }),
    ...(target.tlsAuthorities === undefined ? {} : { ca: target.tlsAuthorities }),
    rejectUnauthorized: target.tls === 'verify',
    ALPNProtocols: ['postgresql'],
  }
}

async function startTls(stream: Duplex, options: TlsOptions, target: Target, deadline: AbortSignal): Promise<TLSSocket> {
  const reader = new ByteReader(stream, 'upstream', deadline)
  stream.write(Buffer.concat([int32(8), int32(codes.tls)]))
  const answer = (await reader.read(1)).toString('latin1')
  // Bytes that follow 'S' in the clear were put there by somebody else (CVE-2021-23222).
  if (answer !== 'S' || reader.buffered > 0) {
    throw new Unreachable(
      'upstream-tls-refused',
      `target ${target.name} does not offer TLS; set tls: off for it only on a network you trust`,
    )
  }
  return offerTls(stream, target.name, options, deadline)
}

function startupPacket(upstream: Upstream, settings: ReadonlyMap<string, string>): Buffer {
  const user = upstream.credential.kind === 'password' ? upstream.credential.username : 'postgres'
  const database = upstream.database ?? user
  const pairs = [...new Map([['user', user], ['database', database], ...settings])]
  const body = Buffer.concat([
    int32(3 << 16),
    ...pairs.flatMap(([name, value]) => [Buffer.from(`${name}\0${value}\0`)]),
    Buffer.from([0]),
  ])
  return Buffer.concat([int32(body.length + 4), body])
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

class Login {
  readonly #stream: Duplex
  readonly #reader: ByteReader
  readonly #target: string

  constructor(stream: Duplex, deadline: AbortSignal, target: string) {
    this.#stream = stream
    this.#reader = new ByteReader(stream, 'upstream', deadline)
    this.#target = target
  }

  detach(): Buffer {
    return this.#reader.detach()
  }

  /** `covered`: nobody can listen in, so a clear or MD5 password may be sent. */
  async authenticate(credential: Credential, covered: boolean): Promise<void> {
    for (;;) {
      const bytes = await this.#next(fromUpstream.authentication)
      const body = new Body(bytes, 'upstream')
      const method = body.int32()
      if (method === 0) return
      const { username, password } = this.#password(credential)
      if (method === 10) await this.#sasl(body, password)
      else if (!covered)
        throw this.#failed(
          'it asks for a password that would travel unprotected; set tls: require or verify, or SCRAM at the target',
        )
      else if (method === 3) this.#stream.write(message(fromClient.password, password))
      else if (method === 5) this.#stream.write(message(fromClient.password, md5Answer(username, password, body.bytes(4))))
      else throw this.#failed(`it asks for authentication method ${method}, which is not supported`)
    }
  }

  async ready(): Promise<{ key: CancelKey; reported: Map<string, string> }> {
    const reported = new Map<string, string>()
    let key: CancelKey = { processId: 0, secret: Buffer.alloc(4) }
    for (;;) {
      const bytes = await this.#read()
      const body = new Body(bytes, 'upstream')
      if (bytes[0] === fromUpstream.readyForQuery) return { key, reported }
      if (bytes[0] === fromUpstream.parameterStatus) reported.set(body.text(), body.text())
      else if (bytes[0] === fromUpstream.backendKeyData) key = { processId: body.int32(), secret: body.bytes(body.left) }
      else if (bytes[0] !== fromUpstream.notice) throw this.#unexpected(bytes)
    }
  }

  async #sasl(offer: Body, password: string): Promise<void> {
    const offered: string[] = []
    for (let name = offer.text(); name !== ''; name = offer.text()) offered.push(name)
    const secured = this.#stream as Partial<TLSSocket>
    const certificate = secured.getPeerX509Certificate?.()?.raw
    const scram = new ScramClient(password, offered, certificate === undefined ? undefined : endPointBinding(certificate))
    const first = scram.first()
    this.#stream.write(message(fromClient.password, scram.mechanism, int32(first.length), first))
    this.#stream.write(message(fromClient.password, await scram.last(await this.#saslData(11))))
    scram.check(await this.#saslData(12))
  }

  async #saslData(expected: number): Promise<Buffer> {
    const body = new Body(await this.#next(fromUpstream.authentication), 'upstream')
    if (body.int32() !== expected) throw this.#failed('its SASL messages come out of order')
    return body.bytes(body.left)
  }

  #password(credential: Credential): { username: string; password: string } {
    if (credential.kind !== 'password') throw this.#failed('it asks for a password and the target has none stored')
    return { username: credential.username, password: credential.password.reveal() }
  }

  async #next(type: number): Promise<Buffer> {
    for (;;) {
      const bytes = await this.#read()
      if (bytes[0] === type) return bytes
      if (bytes[0] !== fromUpstream.notice) throw this.#unexpected(bytes)
    }
  }

  async #read(): Promise<Buffer> {
    const head = await this.#reader.read(5)
    const size = head.readUInt32BE(1)
    if (size < 4 || size > maxLoginMessageBytes)
      throw new Malformed('upstream', 'malformed-message', 'a login message has an impossible length')
    const bytes = Buffer.concat([head, await this.#reader.read(size - 4)])
    if (bytes[0] === fromUpstream.error) throw this.#refusal(bytes)
    return bytes
  }

  /** The server's own words could name the stored user; the caller gets the SQLSTATE, the log keeps the rest as the cause. */
  #refusal(bytes: Buffer): Unreachable {
    const fields = readFields(bytes)
    return new Unreachable(
      'target-login-failed',
      `target ${this.#target} refused the stored login (SQLSTATE ${fields['C'] ?? 'unknown'})`,
      {
        cause: new Error(fields['M'] ?? ''),
      },
    )
  }

  #unexpected(bytes: Buffer): Malformed {
    return new Malformed(
      'upstream',
      'unexpected-message',
      `message ${String.fromCharCode(bytes[0] ?? 0)} does not belong into a login`,
    )
  }

  #failed(what: string): Unreachable {
    return new Unreachable('target-login-failed', `login at target ${this.#target} failed: ${what}`)
  }
}

/** "md5" + md5(md5(password + user) + salt) (PostgreSQL documentation, AuthenticationMD5Password). */
function md5Answer(user: string, password: string, salt: Buffer): string {
  const inner = createHash('md5').update(password).update(user).digest('hex')
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`
}
