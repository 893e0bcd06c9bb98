// Column definitions and the values of rows and bound parameters, as an investigator reads them (MySQL Internals, "Binary Protocol Value").

import { isUtf8 } from 'node:buffer'
import { Malformed } from '@sallyport/core'
import type { Side } from '@sallyport/core'
import { Body } from './packets.js'

export interface Column {
  readonly schema: string
  readonly table: string
  readonly originTable: string
  readonly name: string
  readonly originName: string
  readonly type: number
  readonly unsigned: boolean
}

const unsignedFlag = 0x20

export function readColumn(payload: Buffer): Column {
  const body = new Body(payload, 'upstream')
  body.lenencBytes() // catalog, always "def"
  const schema = body.lenencText()
  const table = body.lenencText()
  const originTable = body.lenencText()
  const name = body.lenencText()
  const originName = body.lenencText()
  // MariaDB's extended type information would stand here; its capability is never taken. What follows has a fixed length of 12.
  body.lenenc()
  body.uint(2)
  body.uint(4)
  const type = body.uint(1)
  const unsigned = (body.uint(2) & unsignedFlag) !== 0
  return { schema, table, originTable, name, originName, type, unsigned }
}

export function readTextRow(payload: Buffer, count: number): (string | null)[] {
  const body = new Body(payload, 'upstream')
  return Array.from({ length: count }, () => {
    const next = body.left > 0 ? payload[payload.length - body.left] : undefined
    if (next !== 0xfb) return readable(body.lenencBytes())
    body.uint(1)
    return null
  })
}

/** NULL bits begin at bit 2 in a row. */
export function readBinaryRow(payload: Buffer, columns: readonly Column[]): (string | null)[] {
  const body = new Body(payload, 'upstream', 1)
  const nulls = body.bytes((columns.length + 9) >> 3)
  return columns.map((column, index) => (isNull(nulls, index + 2) ? null : readBinary(body, column, 'upstream')))
}

export const isNull = (bits: Buffer, index: number): boolean => (((bits[index >> 3] ?? 0) >> (index & 7)) & 1) === 1

export function readable(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : `0x${bytes.toString('hex')}`
}

/** enum_field_types (include/field_types.h). */
const fixed: Readonly<Record<number, (body: Body, unsigned: boolean) => string>> = {
  0x01: (body, unsigned) => String(unsigned ? body.bytes(1).readUInt8() : body.bytes(1).readInt8()),
  0x02: (body, unsigned) => String(unsigned ? body.bytes(2).readUInt16LE() : body.bytes(2).readInt16LE()),
  0x03: (body, unsigned) => String(unsigned ? body.bytes(4).readUInt32LE() : body.bytes(4).readInt32LE()),
  0x04: (body) => String(body.bytes(4).readFloatLE()),
  0x05: (body) => String(body.bytes(8).readDoubleLE()),
  0x06: () => 'NULL',
  0x08: (body, unsigned) => String(unsigned ? body.bytes(8).readBigUInt64LE() : body.bytes(8).readBigInt64LE()),
  0x09: (body, unsigned) => String(unsigned ? body.bytes(4).readUInt32LE() : body.bytes(4).readInt32LE()),
  0x0d: (body) => String(body.bytes(2).readUInt16LE()),
  0x07: (body) => readDate(body),
  0x0a: (body) => readDate(body),
  0x0c: (body) => readDate(body),
  0x0b: (body) => readTime(body),
}

/** DECIMAL, VARCHAR, BIT, VECTOR, JSON, NEWDECIMAL, ENUM, SET, the four BLOBs, VAR_STRING, STRING, GEOMETRY. */
const lengthEncoded = new Set([0x00, 0x0f, 0x10, 0xf2, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff])

export function readBinary(body: Body, { type, unsigned }: { type: number; unsigned: boolean }, from: Side): string {
  const read = fixed[type]
  if (read !== undefined) return read(body, unsigned)
  if (lengthEncoded.has(type)) return readable(body.lenencBytes())
  throw new Malformed(from, 'unknown-type', `a value has type ${type}, which this gateway does not know`)
}

const two = (value: number): string => String(value).padStart(2, '0')

function readDate(body: Body): string {
  const size = body.uint(1)
  if (size === 0) return '0000-00-00'
  const date = `${String(body.uint(2)).padStart(4, '0')}-${two(body.uint(1))}-${two(body.uint(1))}`
  if (size < 7) return skip(body, size - 4, date)
  const time = `${date} ${two(body.uint(1))}:${two(body.uint(1))}:${two(body.uint(1))}`
  return size < 11 ? skip(body, size - 7, time) : skip(body, size - 11, `${time}.${String(body.uint(4)).padStart(6, '0')}`)
}

function readTime(body: Body): string {
  const size = body.uint(1)
  if (size === 0) return '00:00:00'
  const sign = body.uint(1) === 1 ? '-' : ''
  const hours = body.uint(4) * 24 + body.uint(1)
  const time = `${sign}${two(hours)}:${two(body.uint(1))}:${two(body.uint(1))}`
  return size < 12 ? skip(body, size - 8, time) : skip(body, size - 12, `${time}.${String(body.uint(4)).padStart(6, '0')}`)
}

function skip(body: Body, size: number, result: string): string {
  body.bytes(size)
  return result
}
