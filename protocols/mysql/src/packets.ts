// MySQL packets and what they are made of (MySQL Internals, "Protocol Basics"): a 3-byte length, a sequence number, the payload. A payload of
// 0xffffff bytes goes on in the next packet. Reading checks every length; whatever does not fit is Malformed, by the side that sent it.

import { Malformed } from '@sallyport/core'
import type { Side } from '@sallyport/core'

export const headerBytes = 4
/** The longest payload of one packet; longer ones are split. */
export const maxPacketBytes = 0xffffff

/** First bytes of a command (include/my_command.h). */
export const command = {
  quit: 0x01,
  initDb: 0x02,
  query: 0x03,
  fieldList: 0x04,
  statistics: 0x09,
  ping: 0x0e,
  changeUser: 0x11,
  stmtPrepare: 0x16,
  stmtExecute: 0x17,
  stmtSendLongData: 0x18,
  stmtClose: 0x19,
  stmtReset: 0x1a,
  setOption: 0x1b,
  stmtFetch: 0x1c,
  resetConnection: 0x1f,
} as const

/** First bytes of a response. */
export const reply = { ok: 0x00, moreAuth: 0x01, localInfile: 0xfb, end: 0xfe, error: 0xff } as const

/** Capability flags that this gateway knows (include/mysql_com.h). */
export const capability = {
  longPassword: 1,
  foundRows: 1 << 1,
  longFlag: 1 << 2,
  connectWithDb: 1 << 3,
  odbc: 1 << 6,
  protocol41: 1 << 9,
  interactive: 1 << 10,
  tls: 1 << 11,
  transactions: 1 << 13,
  secureConnection: 1 << 15,
  multiStatements: 1 << 16,
  multiResults: 1 << 17,
  psMultiResults: 1 << 18,
  pluginAuth: 1 << 19,
  connectAttributes: 1 << 20,
  authLenenc: 1 << 21,
  sessionTrack: 1 << 23,
  deprecateEof: 1 << 24,
} as const

/** Server status flags (include/mysql_com.h). */
export const serverStatus = {
  inTransaction: 0x0001,
  autocommit: 0x0002,
  moreResults: 0x0008,
  cursorExists: 0x0040,
  outParameters: 0x1000,
} as const

/** Reads a payload from its front. */
export class Body {
  readonly #bytes: Buffer
  readonly #from: Side
  #at: number

  constructor(bytes: Buffer, from: Side, at = 0) {
    this.#bytes = bytes
    this.#from = from
    this.#at = at
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  bytes(size: number): Buffer {
    if (size < 0 || size > this.left) throw this.#malformed('a field is longer than its packet')
    this.#at += size
    return this.#bytes.subarray(this.#at - size, this.#at)
  }

  rest(): Buffer {
    return this.bytes(this.left)
  }

  /** Little-endian, up to 6 bytes. */
  uint(size: number): number {
    return this.bytes(size).readUIntLE(0, size)
  }

  /** Up to a NUL, which is dropped. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at)
    if (end < 0) throw this.#malformed('a text has no end')
    const found = this.#bytes.toString('utf8', this.#at, end)
    this.#at = end + 1
    return found
  }

  /** A length-encoded integer; one beyond 2^53 is no length of anything that could be here, but may be a count of rows. */
  lenenc(): number {
    const first = this.uint(1)
    if (first < 0xfb) return first
    if (first === 0xfc) return this.uint(2)
    if (first === 0xfd) return this.uint(3)
    if (first === 0xfe) return Number(this.bytes(8).readBigUInt64LE())
    throw this.#malformed('a length-encoded integer begins with 0xfb or 0xff')
  }

  lenencBytes(): Buffer {
    return this.bytes(this.lenenc())
  }

  lenencText(): string {
    return this.lenencBytes().toString('utf8')
  }

  #malformed(what: string): Malformed {
    return new Malformed(this.#from, 'malformed-packet', what)
  }
}

export function uint(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntLE(value, 0, size)
  return bytes
}

export function lenenc(value: number): Buffer {
  if (value < 0xfb) return uint(value, 1)
  if (value <= 0xffff) return Buffer.concat([uint(0xfc, 1), uint(value, 2)])
  if (value <= 0xffffff) return Buffer.concat([uint(0xfd, 1), uint(value, 3)])
  const wide = Buffer.alloc(9, 0xfe)
  wide.writeBigUInt64LE(BigInt(value), 1)
  return wide
}

export function lenencText(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  return Buffer.concat([lenenc(bytes.length), bytes])
}

export const zeroEnded = (value: string): Buffer => Buffer.from(`${value}\0`, 'utf8')

/** A payload as packets, the first with this sequence number; one of exactly 0xffffff bytes is followed by an empty packet. */
export function packets(sequence: number, payload: Buffer): Buffer {
  const parts: Buffer[] = []
  let number = sequence
  for (let at = 0; ; at += maxPacketBytes) {
    const part = payload.subarray(at, at + maxPacketBytes)
    parts.push(uint(part.length, 3), uint(number & 0xff, 1), part)
    number += 1
    if (part.length < maxPacketBytes) return Buffer.concat(parts)
  }
}

/** How many packets a payload of this size takes. */
export const packetCount = (size: number): number => Math.floor(size / maxPacketBytes) + 1

export interface ErrorWords {
  readonly code: number
  readonly state: string
  readonly message: string
}

export function errorPayload({ code, state, message }: ErrorWords): Buffer {
  return Buffer.concat([uint(reply.error, 1), uint(code, 2), Buffer.from(`#${state}`), Buffer.from(message, 'utf8')])
}

/** Before a session is set up a server may leave the SQLSTATE out. */
export function readError(payload: Buffer, from: Side = 'upstream'): ErrorWords {
  const body = new Body(payload, from, 1)
  const code = body.uint(2)
  const rest = body.rest().toString('utf8')
  return rest.startsWith('#') ? { code, state: rest.slice(1, 6), message: rest.slice(6) } : { code, state: 'HY000', message: rest }
}

export function okPayload(status: number): Buffer {
  return Buffer.concat([uint(reply.ok, 1), lenenc(0), lenenc(0), uint(status, 2), uint(0, 2)])
}

/** An OK, or the OK that stands for EOF. */
export function readOk(payload: Buffer): { readonly affected: number; readonly status: number } {
  const body = new Body(payload, 'upstream', 1)
  const affected = body.lenenc()
  body.lenenc()
  return { affected, status: body.uint(2) }
}

/** EOF of the old form: warnings, then status. */
export function readEof(payload: Buffer): { readonly status: number } {
  const body = new Body(payload, 'upstream', 1)
  body.uint(2)
  return { status: body.uint(2) }
}
