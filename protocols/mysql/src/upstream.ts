// The target's end of the login: TLS as the target asks for it, the stored credential, and the settings that texts are understood under.

import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { Malformed, Unreachable } from '@sallyport/core'
import type { Credential, Reach, Target, Upstream } from '@sallyport/core'
import { offerTls } from '@sallyport/wire'
import { allowedSqlModes } from '@sallyport/sql'
import { answerEd25519 } from './ed25519.js'
import { readAuthSwitch, readGreeting, writeResponse, writeTlsRequest } from './handshake.js'
import type { Greeting } from './handshake.js'
import { PacketLine } from './packet-reader.js'
import { capability, readError, reply, zeroEnded } from './packets.js'
import { answerCachingSha2, answerNative, cachingSha2, clear, ed25519, encryptPassword, native, sha256 } from './scramble.js'
import type { Pins } from './wire.js'

/** How long the target may take from its greeting to the last answer. */
const loginMs = 30_000
/** A server may switch plugins and ask for more a few times; a loop of it is none. */
const maxAuthSteps = 8
/** Without these a server is older than MySQL 5.7 and MariaDB 10.2, and is not spoken to. */
const needed =
  capability.protocol41 |
  capability.secureConnection |
  capability.pluginAuth |
  capability.authLenenc |
  capability.deprecateEof |
  capability.multiResults

export interface LoggedIn {
  readonly line: PacketLine
  readonly threadId: number
  readonly version: string
  /** Settings that texts are understood under, to be said again after COM_RESET_CONNECTION. */
  readonly pins: Pins
}

/** Logs in with the stored credential. Throws Unreachable; its message never holds more than the server's error code. */
export async function logIn(
  reach: Reach,
  capabilities: number,
  attributes: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<LoggedIn> {
  const { target } = reach
  const upstream = await reach.dial()
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(loginMs)])
  try {
    const login = new Login(target, upstream, deadline)
    const { line, greeting } = await login.run(capabilities, attributes)
    const deprecateEof = (capabilities & capability.deprecateEof) !== 0
    const pins = await pin(line, deprecateEof)
    return { line, threadId: greeting.threadId, version: greeting.version, pins }
  } catch (error) {
    upstream.stream.destroy()
    if (error instanceof Unreachable) throw error
    const why = deadline.aborted ? 'it took too long' : 'it broke the protocol'
    throw new Unreachable('target-login-failed', `login at target ${target.name} failed: ${why}`, { cause: error })
  }
}

/** Sets what the lexer relies on: characters are UTF-8, quotes and backslashes mean what they mean by default. */
async function pin(line: PacketLine, deprecateEof: boolean): Promise<Pins> {
  const rows = await line.query('SELECT @@SESSION.sql_mode', deprecateEof, 'reading sql_mode')
  const modes = (rows[0]?.[0] ?? '').split(',').filter((mode) => allowedSqlModes.has(mode.toUpperCase()))
  const pins = pinsFor(modes.join(','))
  await line.query(pins.afresh, deprecateEof, 'setting names and sql_mode')
  return pins
}

/** Only modes and character sets that are known to be safe are kept; anything else becomes what it was at login. */
function pinsFor(modes: string): Pins {
  const safe = `'^((${[...allowedSqlModes].join('|')})(,|$))*$'`
  const kept = [
    "character_set_client = IF(@@character_set_client IN ('utf8', 'utf8mb3', 'utf8mb4'), @@character_set_client, 'utf8mb4')",
    "collation_connection = IF(@@collation_connection LIKE 'utf8%', @@collation_connection, 'utf8mb4_general_ci')",
    "character_set_filesystem = IF(@@character_set_filesystem LIKE 'utf8%', @@character_set_filesystem, 'binary')",
    `SESSION sql_mode = IF(@@sql_mode REGEXP ${safe}, @@sql_mode, '${modes}')`,
  ]
  return { afresh: `SET NAMES utf8mb4, SESSION sql_mode = '${modes}'`, kept: `SET ${kept.join(', ')}` }
}

class Login {
  readonly #target: Target
  readonly #upstream: Upstream
  readonly #deadline: AbortSignal
  #line: PacketLine
  #secured = false

  constructor(target: Target, upstream: Upstream, deadline: AbortSignal) {
    this.#target = target
    this.#upstream = upstream
    this.#deadline = deadline
    this.#line = new PacketLine(upstream.stream, 'upstream', deadline)
  }

  async run(wanted: number, attributes: ReadonlyMap<string, string>): Promise<{ line: PacketLine; greeting: Greeting }> {
    const first = await this.#line.read()
    if (first[0] === reply.error) throw this.#refused(first)
    const greeting = readGreeting(first)
    if ((greeting.capabilities & needed) !== needed) throw this.#failed('the server is too old for this gateway')
    const always =
      capability.longPassword | capability.protocol41 | capability.secureConnection | capability.pluginAuth | capability.authLenenc
    const { credential, database } = this.#upstream
    const flags =
      (wanted | always | capability.transactions | capability.connectAttributes) & ~(capability.tls | capability.connectWithDb)
    const withDatabase = database === undefined ? flags : flags | capability.connectWithDb
    const tls = this.#target.tls !== 'off'
    const capabilities = (tls ? withDatabase | capability.tls : withDatabase) & greeting.capabilities
    if (tls) await this.#startTls(greeting, capabilities)
    const { username, password } = this.#password(credential)
    const plugin = answerable.has(greeting.plugin) && greeting.plugin !== clear ? greeting.plugin : native
    const answer = this.#firstAnswer(plugin, password, greeting.nonce)
    this.#line.write(writeResponse({ capabilities, user: username, answer, database: database ?? '', plugin, attributes }))
    await this.#authenticate(plugin, password, greeting.nonce)
    return { line: this.#line, greeting }
  }

  async #startTls(greeting: Greeting, capabilities: number): Promise<void> {
    // Bytes that follow the greeting in the clear were put there by somebody else.
    if ((greeting.capabilities & capability.tls) === 0 || this.#line.buffered > 0) {
      throw new Unreachable(
        'upstream-tls-refused',
        `target ${this.#target.name} does not offer TLS; set tls: off for it only on a network you trust`,
      )
    }
    this.#line.write(writeTlsRequest(capabilities))
    const { host } = this.#upstream
    const ca = this.#target.tlsAuthorities
    const options = {
      host,
      ...(isIP(host) ? {} : { servername: host }),
      ...(ca === undefined ? {} : { ca }),
      rejectUnauthorized: this.#target.tls === 'verify',
    }
    const stream: Duplex = await offerTls(this.#line.stream, this.#target.name, options, this.#deadline)
    this.#line = new PacketLine(stream, 'upstream', this.#deadline, this.#line.sequence)
    this.#secured = true
  }

  async #authenticate(first: string, password: string, firstNonce: Buffer): Promise<void> {
    let plugin = first
    let nonce = firstNonce
    for (let step = 0; step < maxAuthSteps; step += 1) {
      const packet = await this.#line.read()
      switch (packet[0]) {
        case reply.ok:
          return
        case reply.error:
          throw this.#refused(packet)
        case reply.end: {
          ;({ plugin, nonce } = readAuthSwitch(packet))
          if (!answerable.has(plugin)) throw this.#failed(`it asks for authentication by ${plugin}, which is not supported`)
          if (plugin === clear && !this.#covered) throw this.#failed('it asks for a password in clear without TLS')
          this.#line.write(this.#firstAnswer(plugin, password, nonce))
          break
        }
        case reply.moreAuth:
          await this.#more(plugin, packet.subarray(1), password, nonce)
          break
        case undefined:
        default:
          throw new Malformed('upstream', 'unexpected-packet', 'a packet does not belong into a login')
      }
    }
    throw this.#failed('its login has no end')
  }

  get #covered(): boolean {
    return this.#secured || isLoopback(this.#upstream.host)
  }

  /** caching_sha2_password: 3 means the fast path was enough, 4 asks for the password itself. sha256_password sends its public key. */
  async #more(plugin: string, data: Buffer, password: string, nonce: Buffer): Promise<void> {
    if (plugin === cachingSha2 && data.length === 1 && data[0] === 3) return
    if (plugin === cachingSha2 && data.length === 1 && data[0] === 4) {
      if (this.#secured) return this.#line.write(zeroEnded(password))
      this.#line.write(Buffer.from([2]))
      const key = await this.#line.read()
      if (key[0] !== reply.moreAuth) throw this.#failed('it does not give its public key')
      return this.#line.write(this.#encrypted(password, nonce, key.subarray(1)))
    }
    if (plugin === sha256 && !this.#secured) return this.#line.write(this.#encrypted(password, nonce, data))
    throw new Malformed('upstream', 'unexpected-packet', 'more authentication data came than were asked for')
  }

  /** `clear` comes here only where the server asked for it and nobody can listen in. */
  #firstAnswer(plugin: string, password: string, nonce: Buffer): Buffer {
    switch (plugin) {
      case native:
        return answerNative(password, nonce)
      case cachingSha2:
        return answerCachingSha2(password, nonce)
      case ed25519:
        return answerEd25519(password, nonce)
      case clear:
        return zeroEnded(password)
      default:
        return this.#secured ? zeroEnded(password) : Buffer.from([wantsPublicKey])
    }
  }

  #encrypted(password: string, nonce: Buffer, publicKey: Buffer): Buffer {
    try {
      return encryptPassword(password, nonce, publicKey.toString('latin1'))
    } catch (cause) {
      throw new Unreachable('target-login-failed', `login at target ${this.#target.name} failed: its public key cannot be used`, {
        cause,
      })
    }
  }

  #password(credential: Credential): { username: string; password: string } {
    if (credential.kind !== 'password') throw this.#failed('it needs a user name, and the target has none stored')
    return { username: credential.username, password: credential.password.reveal() }
  }

  /** The server's own words could name the stored user; the caller gets the code, the log keeps the rest as the cause. */
  #refused(packet: Buffer): Unreachable {
    const { code, message } = readError(packet)
    return new Unreachable('target-login-failed', `target ${this.#target.name} refused the stored login (error ${code})`, {
      cause: new Error(message),
    })
  }

  #failed(what: string): Unreachable {
    return new Unreachable('target-login-failed', `login at target ${this.#target.name} failed: ${what}`)
  }
}

/** The first answer of sha256_password without TLS. */
const wantsPublicKey = 1
const answerable = new Set([native, cachingSha2, sha256, clear, ed25519])

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
