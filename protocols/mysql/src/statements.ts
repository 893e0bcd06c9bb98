// The statements a client has prepared: by the server's ids, with what was decided about each, and the values that were sent ahead of their use.

import { Malformed } from '@sallyport/core'
import type { Run } from './exchange.js'
import { readable } from './columns.js'
import { packets } from './packets.js'
import type { Definition } from './question.js'

/** The server's default limit (max_prepared_stmt_count). */
const maxStatements = 16_382
/** Values sent ahead (COM_STMT_SEND_LONG_DATA) that wait for a ruling. */
const maxLongBytes = 64 * 1024 * 1024
/** As much of one such value is shown; all of it goes on. */
const maxShownBytes = 64 * 1024
/** MariaDB: the statement that was prepared last. */
const lastPrepared = 0xffffffff

export interface Statement {
  readonly id: number
  readonly definition: Definition
  /** An open cursor's run: its rows come by COM_STMT_FETCH. */
  cursor: Run | undefined
  readonly long: Map<number, Buffer[]>
}

export class Statements {
  readonly #byId = new Map<number, Statement>()
  #last: Statement | undefined
  #longBytes = 0

  /** Throws where a client keeps too many. */
  makeRoom(): void {
    if (this.#byId.size >= maxStatements)
      throw new Malformed('client', 'too-many-statements', `more than ${maxStatements} prepared statements at once`)
  }

  find(id: number): Statement | undefined {
    return id === lastPrepared ? this.#last : this.#byId.get(id)
  }

  add(id: number, definition: Definition): void {
    this.#last = { id, definition, cursor: undefined, long: new Map() }
    this.#byId.set(id, this.#last)
  }

  /** The last attempt to prepare failed: "the last prepared" is nothing. */
  noLast(): void {
    this.#last = undefined
  }

  remove(statement: Statement): void {
    this.forgetLong(statement)
    this.#byId.delete(statement.id)
    if (this.#last === statement) this.#last = undefined
  }

  clear(): readonly Statement[] {
    const all = [...this.#byId.values()]
    this.#byId.clear()
    this.#last = undefined
    this.#longBytes = 0
    return all
  }

  addLong(statement: Statement, parameter: number, packet: Buffer): void {
    this.#longBytes += packet.length
    if (this.#longBytes > maxLongBytes)
      throw new Malformed('client', 'long-data-too-long', `more than ${maxLongBytes} bytes of long data wait for their statement`)
    statement.long.set(parameter, [...(statement.long.get(parameter) ?? []), packet])
  }

  forgetLong(statement: Statement): void {
    for (const parts of statement.long.values()) for (const part of parts) this.#longBytes -= part.length
    statement.long.clear()
  }
}

/** Command, statement id, parameter number. */
const longHeadBytes = 7

export function longTexts(statement: Statement): ReadonlyMap<number, string> {
  return new Map([...statement.long].map(([parameter, parts]) => [parameter, longText(parts)]))
}

function longText(parts: readonly Buffer[]): string {
  const bytes = parts.reduce((sum, part) => sum + part.length - longHeadBytes, 0)
  if (bytes > maxShownBytes) return `(${bytes} bytes sent ahead)`
  return readable(Buffer.concat(parts.map((part) => part.subarray(longHeadBytes))))
}

/** The commands again, each under the server's own id. */
export function longPackets(statement: Statement): Buffer[] {
  return [...statement.long.values()].flat().map((part) => packets(0, withId(part, statement.id)))
}

export function withId(payload: Buffer, id: number): Buffer {
  if (payload.readUInt32LE(1) === id) return payload
  const copy = Buffer.from(payload)
  copy.writeUInt32LE(id, 1)
  return copy
}
