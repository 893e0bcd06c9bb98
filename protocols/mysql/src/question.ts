// What the machine asks while it holds a command, and the answer it obeys. The only words between the pure machine and the judging.

import type { Ruling } from '@sallyport/core'
import type { ErrorWords } from './packets.js'
import type { ParameterType } from './parameters.js'

/** A text that was prepared by COM_STMT_PREPARE, and what was decided about it then. */
export interface Definition {
  readonly sql: Buffer
  readonly answer: Answer
  /** As the server counted them. */
  readonly parameters: number
  types: readonly ParameterType[]
}

export type Question =
  | { readonly form: 'query'; readonly sql: Buffer }
  | { readonly form: 'prepare'; readonly sql: Buffer }
  | { readonly form: 'execute'; readonly definition: Definition; readonly values: readonly (string | null)[] }
  | { readonly form: 'init-db'; readonly name: string }
  /** A command that is never let through. */
  | { readonly form: 'command'; readonly name: string }
  /** The statement reached the number of rows it was allowed. */
  | { readonly form: 'rows'; readonly statement: number; readonly rows: number }

export interface Answer {
  /** Its number in the session; 0 where nothing was put on record (a prepare that was let through). */
  readonly statement: number
  readonly ruling: Ruling
  /** Set for a denial, and where the gateway itself answers with an error. */
  readonly words?: ErrorWords
  /** The text to send in place of the client's. */
  readonly text?: Buffer
  /** The gateway itself did what was asked (KILL): the client gets an OK, the target nothing. */
  readonly done?: boolean
  /** Error texts of this statement are covered. */
  readonly covers: boolean
  /** `database.table.column`, in lower case, that may not be the origin of a result column. */
  readonly forbiddenOrigins: readonly string[]
  /** Which columns were masked, and how, as far as this statement reaches them; the same key means the same masks. */
  readonly masksKey: string
  /** It may have run what could not be read: the settings that texts are understood under are said again after it. */
  readonly unsettles: boolean
  /** What a prepared text was understood under: table names in it keep meaning what they meant then. */
  readonly database: string
}
