// The messages of the Postgres protocol that the gateway reads or writes, both ways (PostgreSQL documentation, "Message Formats").
// Every decoder throws Malformed and nothing else.

import { isUtf8 } from 'node:buffer'
import { Malformed } from '@sallyport/core'
import type { Side } from '@sallyport/core'

/** Type bytes. The same letter can mean different things from either side, so the two are kept apart. */
export const fromClient = {
  bind: 0x42,
  close: 0x43,
  copyData: 0x64,
  copyDone: 0x63,
  copyFail: 0x66,
  describe: 0x44,
  execute: 0x45,
  flush: 0x48,
  functionCall: 0x46,
  parse: 0x50,
  password: 0x70,
  query: 0x51,
  sync: 0x53,
  terminate: 0x58,
} as const

export const fromUpstream = {
  authentication: 0x52,
  backendKeyData: 0x4b,
  bindComplete: 0x32,
  closeComplete: 0x33,
  commandComplete: 0x43,
  copyBoth: 0x57,
  copyData: 0x64,
  copyDone: 0x63,
  copyIn: 0x47,
  copyOut: 0x48,
  dataRow: 0x44,
  emptyQuery: 0x49,
  error: 0x45,
  functionResult: 0x56,
  negotiateVersion: 0x76,
  noData: 0x6e,
  notice: 0x4e,
  notification: 0x41,
  parameterDescription: 0x74,
  parameterStatus: 0x53,
  parseComplete: 0x31,
  portalSuspended: 0x73,
  readyForQuery: 0x5a,
  rowDescription: 0x54,
} as const

/** Reads the body of one message. `from` is who is blamed when it does not fit. */
export class Body {
  readonly #bytes: Buffer
  readonly #from: Side
  #at: number

  /** `bytes` is the whole message with its type byte and length. */
  constructor(bytes: Buffer, from: Side, at = 5) {
    this.#bytes = bytes
    this.#from = from
    this.#at = at
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  byte(): number {
    return this.#need(1).readUInt8(this.#at++)
  }

  int16(): number {
    const value = this.#need(2).readUInt16BE(this.#at)
    this.#at += 2
    return value
  }

  int32(): number {
    const value = this.#need(4).readInt32BE(this.#at)
    this.#at += 4
    return value
  }

  uint32(): number {
    return this.int32() >>> 0
  }

  bytes(size: number): Buffer {
    const value = this.#need(size).subarray(this.#at, this.#at + size)
    this.#at += size
    return value
  }

  /** Up to the next NUL, as bytes. */
  cstring(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at)
    if (end < 0) throw this.#malformed('a string without its end')
    const value = this.#bytes.subarray(this.#at, end)
    this.#at = end + 1
    return value
  }

  text(): string {
    return this.cstring().toString('utf8')
  }

  end(): void {
    if (this.left !== 0) throw this.#malformed(`${this.left} bytes too many`)
  }

  #need(size: number): Buffer {
    if (size < 0 || this.left < size) throw this.#malformed('it ends too early')
    return this.#bytes
  }

  #malformed(what: string): Malformed {
    const type = String.fromCharCode(this.#bytes[0] ?? 0x3f)
    return new Malformed(
      this.#from,
      'malformed-message',
      `message ${JSON.stringify(type)} from the ${this.#from} is malformed: ${what}`,
    )
  }
}

/** One message: type byte, length of what follows with itself, parts. */
export function message(type: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const bodies = parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`, 'utf8') : part))
  const size = bodies.reduce((sum, body) => sum + body.length, 4)
  const head = Buffer.allocUnsafe(5)
  head.writeUInt8(type, 0)
  head.writeInt32BE(size, 1)
  return Buffer.concat([head, ...bodies], size + 1)
}

export function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value | 0)
  return bytes
}

/** SQL text as it came, and whether it can be trusted to be what the server will read. */
export interface SqlText {
  readonly text: string
  /** Set where the server could read something else than we do. */
  readonly fault?: string
}

function sqlText(bytes: Buffer): SqlText {
  const text = bytes.toString('utf8')
  return isUtf8(bytes) ? { text } : { text, fault: 'the text is not valid UTF-8' }
}

export interface ParseMessage {
  readonly name: string
  readonly sql: SqlText
  readonly types: readonly number[]
}

export function readQuery(bytes: Buffer): SqlText {
  const body = new Body(bytes, 'client')
  const sql = sqlText(body.cstring())
  body.end()
  return sql
}

export function readParse(bytes: Buffer): ParseMessage {
  const body = new Body(bytes, 'client')
  const name = body.cstring().toString('latin1')
  const sql = sqlText(body.cstring())
  const types = Array.from({ length: body.int16() }, () => body.uint32())
  body.end()
  return { name, sql, types }
}

/** Rebuilt with another text; what the client wrote after it stays. */
export function replaceParseText(bytes: Buffer, text: string): Buffer {
  const nameEnd = bytes.indexOf(0, 5) + 1
  const textEnd = bytes.indexOf(0, nameEnd) + 1
  return message(fromClient.parse, bytes.subarray(5, nameEnd), text, bytes.subarray(textEnd))
}

export interface BindMessage {
  readonly portal: string
  readonly statement: string
  readonly formats: readonly number[]
  readonly values: readonly (Buffer | null)[]
}

export function readBind(bytes: Buffer): BindMessage {
  const body = new Body(bytes, 'client')
  const portal = body.cstring().toString('latin1')
  const statement = body.cstring().toString('latin1')
  const formats = Array.from({ length: body.int16() }, () => body.int16())
  const values = Array.from({ length: body.int16() }, () => readValue(body))
  for (let left = body.int16(); left > 0; left -= 1) body.int16()
  body.end()
  return { portal, statement, formats, values }
}

function readValue(body: Body): Buffer | null {
  const size = body.int32()
  if (size === -1) return null
  return body.bytes(size)
}

/** Close and Describe: what ('S' statement, 'P' portal) and its name. Names are bytes to us: latin1 keeps each apart. */
export function readNamed(bytes: Buffer): { readonly what: 'statement' | 'portal'; readonly name: string } {
  const body = new Body(bytes, 'client')
  const what = body.byte()
  const name = body.cstring().toString('latin1')
  body.end()
  if (what !== 0x53 && what !== 0x50)
    throw new Malformed('client', 'malformed-message', 'Close and Describe name a statement (S) or a portal (P)')
  return { what: what === 0x53 ? 'statement' : 'portal', name }
}

export function readExecute(bytes: Buffer): { readonly portal: string; readonly maxRows: number } {
  const body = new Body(bytes, 'client')
  const portal = body.cstring().toString('latin1')
  const maxRows = body.int32()
  body.end()
  return { portal, maxRows }
}

/** Fields of an ErrorResponse or NoticeResponse by their letter. */
export type Fields = Readonly<Record<string, string>>

export function readFields(bytes: Buffer): Fields {
  const body = new Body(bytes, 'upstream')
  const fields: Record<string, string> = {}
  for (;;) {
    // Servers have been seen that leave the final NUL out; what is there is what counts.
    if (body.left === 0) return fields
    const letter = body.byte()
    if (letter === 0) return fields
    fields[String.fromCharCode(letter)] = body.text()
  }
}

export function writeFields(type: number, fields: Fields): Buffer {
  const parts = Object.entries(fields).map(([letter, value]) => Buffer.from(`${letter}${value.replaceAll('\0', ' ')}\0`, 'utf8'))
  return message(type, ...parts, Buffer.from([0]))
}

export interface ErrorWords {
  readonly severity: 'ERROR' | 'FATAL' | 'NOTICE'
  readonly code: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
}

export function errorResponse(words: ErrorWords): Buffer {
  return writeFields(words.severity === 'NOTICE' ? fromUpstream.notice : fromUpstream.error, {
    S: words.severity,
    V: words.severity,
    C: words.code,
    M: words.message,
    ...(words.detail === undefined ? {} : { D: words.detail }),
    ...(words.hint === undefined ? {} : { H: words.hint }),
  })
}

/** Rows that a command tag counts: `SELECT 5`, `INSERT 0 1`, `COPY 3`; none: 0. */
export function rowsOfTag(tag: string): number {
  const digits = /(\d+)$/.exec(tag)?.[1]
  return digits === undefined ? 0 : Number(digits)
}

export interface Column {
  readonly name: string
  readonly tableOid: number
  readonly attributeNumber: number
  readonly typeOid: number
  readonly format: number
}

export function readRowDescription(bytes: Buffer): Column[] {
  const body = new Body(bytes, 'upstream')
  return Array.from({ length: body.int16() }, () => {
    const name = body.text()
    const tableOid = body.uint32()
    const attributeNumber = (body.int16() << 16) >> 16
    const typeOid = body.uint32()
    body.bytes(6)
    return { name, tableOid, attributeNumber, typeOid, format: body.int16() }
  })
}

export function readParameterTypes(bytes: Buffer): number[] {
  const body = new Body(bytes, 'upstream')
  return Array.from({ length: body.int16() }, () => body.uint32())
}

export function readDataRow(bytes: Buffer): (Buffer | null)[] {
  const body = new Body(bytes, 'upstream')
  return Array.from({ length: body.int16() }, () => readValue(body))
}
