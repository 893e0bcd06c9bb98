// COM_STMT_EXECUTE: the bound values (MySQL Internals, "COM_STMT_EXECUTE").

import { isNull, readBinary } from './columns.js'
import { Body } from './packets.js'

export interface ParameterType {
  readonly type: number
  readonly unsigned: boolean
}

export interface Execution {
  /** The types in force from now on: a client may leave them out when they did not change. */
  readonly types: readonly ParameterType[]
  readonly values: readonly (string | null)[]
}

/** Command, statement id, cursor flags, iteration count. */
const headBytes = 10

/** `long`: values sent by COM_STMT_SEND_LONG_DATA, by position; their places in the packet are empty. */
export function readExecution(
  payload: Buffer,
  count: number,
  known: readonly ParameterType[],
  long: ReadonlyMap<number, string>,
): Execution {
  if (count === 0) return { types: known, values: [] }
  const body = new Body(payload, 'client', headBytes)
  const nulls = body.bytes((count + 7) >> 3)
  const types = body.uint(1) === 1 ? readTypes(body, count) : known
  const values = types.map((type, index) => long.get(index) ?? (isNull(nulls, index) ? null : readBinary(body, type, 'client')))
  return { types, values }
}

function readTypes(body: Body, count: number): ParameterType[] {
  return Array.from({ length: count }, () => ({ type: body.uint(1), unsigned: (body.uint(1) & 0x80) !== 0 }))
}
