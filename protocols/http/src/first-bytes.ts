// What a connection opens with, without taking it: TLS, HTTP/2 by prior knowledge, or HTTP/1.1.

import type { Duplex } from 'node:stream'
import { isIP } from 'node:net'
import { isKnownError } from '@sallyport/core'
import type { ClientConnection } from '@sallyport/core'
import { acceptTls } from '@sallyport/wire'
import { addressOf } from './addresses.js'
import type { Connection, Shared } from './connection.js'

export interface Opened {
  readonly stream: Duplex
  readonly version: 1 | 2
  readonly connection: Connection
}

/** The first line of HTTP/2 (RFC 9113, section 3.4). */
const preface = Buffer.from('PRI * HTTP/2.0\r\n', 'latin1')

/** Undefined: it closed, stayed silent or broke off. */
export async function openConnection(
  client: ClientConnection,
  connection: Connection,
  shared: Shared,
): Promise<Opened | undefined> {
  const { stream } = client
  const { gate } = connection
  stream.on('error', () => {})
  const deadline = AbortSignal.timeout(gate.limits.loginMs)
  const first = await firstBytes(stream, deadline)
  if (first === undefined) {
    stream.destroy()
    return undefined
  }
  if (first[0] !== 0x16)
    return {
      stream,
      version: first.subarray(0, 3).equals(preface.subarray(0, 3)) && (await isPreface(stream, first, deadline)) ? 2 : 1,
      connection,
    }
  try {
    const host = connection.fixed === undefined ? undefined : addressOf(connection.fixed.target).url.hostname
    const fixed = host === undefined ? undefined : gate.tls.contextFor?.(host)
    const secured = await acceptTls(stream, {
      context: fixed ?? gate.tls.context,
      alpn: ['h2', 'http/1.1'],
      requireAlpn: false,
      deadline,
      contextFor: (name) => fixed ?? namedContext(name, connection, shared),
    })
    secured.on('error', () => {})
    return {
      stream: secured,
      version: secured.alpnProtocol === 'h2' ? 2 : 1,
      connection: { ...connection, facts: { ...connection.facts, tls: true } },
    }
  } catch (error) {
    if (!isKnownError(error)) throw error
    stream.destroy()
    return undefined
  }
}

/** `TARGET.gateway`: a certificate for just that name, where we make our own. */
function namedContext(
  name: string,
  { gate }: Connection,
  { targets }: Shared,
): ReturnType<NonNullable<typeof gate.tls.contextFor>> | undefined {
  const label = name.split('.', 1)[0]?.toLowerCase()
  const known =
    !isIP(name) &&
    /^[A-Za-z0-9.-]{1,253}$/.test(name) &&
    targets().some((target) => target.protocol === 'http' && target.name.toLowerCase() === label)
  return known ? gate.tls.contextFor?.(name.toLowerCase()) : undefined
}

async function isPreface(stream: Duplex, first: Buffer, deadline: AbortSignal): Promise<boolean> {
  let seen: Buffer | undefined = first
  for (let size = 0; seen !== undefined && seen.length < preface.length && seen.length > size;) {
    size = seen.length
    seen = await firstBytes(stream, deadline, size)
  }
  return seen?.subarray(0, preface.length).equals(preface) === true
}

/** More bytes than `over`, and all of them are still in the stream. */
function firstBytes(stream: Duplex, deadline: AbortSignal, over = 0): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0)
    const settle = (found: Buffer | undefined): void => {
      stream.off('readable', look).off('end', gone).off('close', gone)
      deadline.removeEventListener('abort', gone)
      if (found !== undefined) stream.unshift(found)
      resolve(found)
    }
    const look = (): void => {
      const chunk = stream.read() as Buffer | null
      if (chunk === null) return
      seen = Buffer.concat([seen, chunk])
      if (seen.length > over) settle(seen)
    }
    const gone = (): void => settle(undefined)
    stream.on('readable', look).on('end', gone).on('close', gone)
    deadline.addEventListener('abort', gone)
    look()
  })
}
