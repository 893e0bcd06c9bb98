// The two packets that open every MySQL connection: the server's greeting and the client's response (MySQL Internals, "Connection Phase").

import { Malformed } from '@sallyport/core'
import { Body, capability, lenencText, reply, uint, zeroEnded } from './packets.js'

/** utf8mb4_general_ci: known to every server that is still in use. */
const utf8mb4 = 45
const nonceBytes = 20

export interface Greeting {
  readonly version: string
  readonly threadId: number
  readonly nonce: Buffer
  readonly capabilities: number
  readonly plugin: string
}

export interface HandshakeResponse {
  readonly capabilities: number
  readonly user: string
  readonly answer: Buffer
  readonly database: string
  readonly plugin: string
  readonly attributes: ReadonlyMap<string, string>
}

export function writeGreeting({ version, threadId, nonce, capabilities, plugin }: Greeting): Buffer {
  return Buffer.concat([
    uint(10, 1),
    zeroEnded(version),
    uint(threadId, 4),
    nonce.subarray(0, 8),
    uint(0, 1),
    uint(capabilities & 0xffff, 2),
    uint(utf8mb4, 1),
    uint(2, 2),
    uint(capabilities >>> 16, 2),
    uint(nonceBytes + 1, 1),
    Buffer.alloc(10),
    nonce.subarray(8),
    uint(0, 1),
    zeroEnded(plugin),
  ])
}

export function readGreeting(payload: Buffer): Greeting {
  const body = new Body(payload, 'upstream')
  if (body.uint(1) !== 10) throw new Malformed('upstream', 'unknown-greeting', 'the server greets with a protocol other than 10')
  const version = body.text()
  const threadId = body.uint(4)
  const first = body.bytes(8)
  body.uint(1)
  const low = body.uint(2)
  body.bytes(3)
  const capabilities = (low | (body.uint(2) << 16)) >>> 0
  const size = body.uint(1)
  body.bytes(10)
  const second = body.bytes(Math.max(13, size - 8))
  const plugin = (capabilities & capability.pluginAuth) === 0 || body.left === 0 ? 'mysql_native_password' : pluginName(body)
  return { version, threadId, nonce: Buffer.concat([first, second.subarray(0, nonceBytes - 8)]), capabilities, plugin }
}

/** Some servers leave out the NUL (MySQL bug 59453). */
function pluginName(body: Body): string {
  return body.rest().toString('latin1').replace(/\0.*$/s, '')
}

/** The short form that asks for TLS: the head of a response. */
export const tlsRequestBytes = 32

export function writeTlsRequest(capabilities: number): Buffer {
  return Buffer.concat([uint(capabilities >>> 0, 4), uint(maxAllowedPacket, 4), uint(utf8mb4, 1), Buffer.alloc(23)])
}

/** What we tell a server that we can take: its own largest (1 GB). */
const maxAllowedPacket = 0x40000000

export function writeResponse(response: HandshakeResponse): Buffer {
  const attributes = Buffer.concat([...response.attributes].flatMap(([name, value]) => [lenencText(name), lenencText(value)]))
  return Buffer.concat([
    writeTlsRequest(response.capabilities),
    zeroEnded(response.user),
    lenencText(response.answer),
    ...(response.database === '' ? [] : [zeroEnded(response.database)]),
    zeroEnded(response.plugin),
    ...((response.capabilities & capability.connectAttributes) === 0 ? [] : [lenencText(attributes)]),
  ])
}

const maxAttributes = 64

export function readResponse(payload: Buffer): HandshakeResponse {
  const body = new Body(payload, 'client')
  const capabilities = body.uint(4) >>> 0
  if ((capabilities & capability.protocol41) === 0)
    throw new Malformed('client', 'protocol-too-old', 'a client must speak protocol 4.1')
  body.bytes(tlsRequestBytes - 4)
  const user = body.text()
  const has = (flag: number): boolean => (capabilities & flag) !== 0
  const answer = has(capability.authLenenc)
    ? body.lenencBytes()
    : has(capability.secureConnection)
      ? body.bytes(body.uint(1))
      : Buffer.from(body.text())
  const database = has(capability.connectWithDb) && body.left > 0 ? body.text() : ''
  const plugin = has(capability.pluginAuth) && body.left > 0 ? body.text() : 'mysql_native_password'
  const attributes =
    has(capability.connectAttributes) && body.left > 0
      ? readAttributes(new Body(body.lenencBytes(), 'client'))
      : new Map<string, string>()
  return { capabilities, user, answer, database, plugin, attributes }
}

function readAttributes(body: Body): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  while (body.left > 0) {
    found.set(body.lenencText(), body.lenencText())
    if (found.size > maxAttributes)
      throw new Malformed('client', 'too-many-attributes', `more than ${maxAttributes} connection attributes`)
  }
  return found
}

/** Asks the other side to go on with another plugin and a fresh nonce. */
export function writeAuthSwitch(plugin: string, nonce: Buffer): Buffer {
  return Buffer.concat([uint(reply.end, 1), zeroEnded(plugin), nonce, uint(0, 1)])
}

export function readAuthSwitch(payload: Buffer): { readonly plugin: string; readonly nonce: Buffer } {
  const body = new Body(payload, 'upstream', 1)
  if (body.left === 0)
    throw new Malformed('upstream', 'old-authentication', 'the server asks for the password format of before MySQL 4.1')
  const plugin = body.text()
  const rest = body.rest()
  return { plugin, nonce: rest.at(-1) === 0 ? rest.subarray(0, -1) : rest }
}
