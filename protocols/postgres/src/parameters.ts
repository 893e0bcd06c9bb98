// Bound values as a reviewer and an investigator read them (PostgreSQL documentation, "Bind"; the binary formats are those of the types'
// receive functions). A binary value of a type that is not listed is shown as hex: nothing is lost, nothing is guessed.

import { isUtf8 } from 'node:buffer'

/** Format code n-th value: none given means text, one counts for all (Bind). */
function formatOf(formats: readonly number[], index: number): number {
  return formats.length === 1 ? (formats[0] as number) : (formats[index] ?? 0)
}

export function readableValues(
  values: readonly (Buffer | null)[],
  formats: readonly number[],
  types: readonly number[],
): (string | null)[] {
  return values.map((value, index) => {
    if (value === null) return null
    return formatOf(formats, index) === 0 ? readableText(value) : readableBinary(value, types[index] ?? 0)
  })
}

const hex = (value: Buffer): string => `\\x${value.toString('hex')}`

function readableText(value: Buffer): string {
  return isUtf8(value) ? value.toString('utf8') : hex(value)
}

const microsecondsTo2000 = 946_684_800_000_000n
const daysTo2000 = 10_957

/** By type OID (src/include/catalog/pg_type.dat). */
const readers: Readonly<Record<number, { readonly size?: number; readonly read: (value: Buffer) => string }>> = {
  16: { size: 1, read: (value) => (value[0] === 0 ? 'f' : 't') },
  17: { read: hex },
  18: { read: readableText },
  19: { read: readableText },
  20: { size: 8, read: (value) => value.readBigInt64BE().toString() },
  21: { size: 2, read: (value) => value.readInt16BE().toString() },
  23: { size: 4, read: (value) => value.readInt32BE().toString() },
  25: { read: readableText },
  26: { size: 4, read: (value) => value.readUInt32BE().toString() },
  114: { read: readableText },
  700: { size: 4, read: (value) => value.readFloatBE().toString() },
  701: { size: 8, read: (value) => value.readDoubleBE().toString() },
  1042: { read: readableText },
  1043: { read: readableText },
  1082: { size: 4, read: (value) => readableDate(value.readInt32BE()) },
  1114: { size: 8, read: (value) => readableTimestamp(value.readBigInt64BE(), '') },
  1184: { size: 8, read: (value) => readableTimestamp(value.readBigInt64BE(), '+00') },
  2950: { size: 16, read: (value) => value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') },
  3802: { read: (value) => (value[0] === 1 ? readableText(value.subarray(1)) : hex(value)) },
}

function readableBinary(value: Buffer, type: number): string {
  const reader = readers[type]
  if (reader === undefined || (reader.size !== undefined && reader.size !== value.length)) return hex(value)
  return reader.read(value)
}

function readableDate(days: number): string {
  const date = new Date((days + daysTo2000) * 86_400_000)
  return Number.isNaN(date.getTime()) ? `${days} days from 2000-01-01` : date.toISOString().slice(0, 10)
}

function readableTimestamp(microseconds: bigint, zone: string): string {
  const sinceEpoch = microseconds + microsecondsTo2000
  const date = new Date(Number(sinceEpoch / 1000n))
  if (Number.isNaN(date.getTime())) return `${microseconds} microseconds from 2000-01-01${zone}`
  const fraction = ((sinceEpoch % 1_000_000n) + 1_000_000n) % 1_000_000n
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}.${fraction.toString().padStart(6, '0')}${zone}`
}
