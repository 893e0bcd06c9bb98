// What the machine asks while it holds a message, and the answer it obeys. The only words between the pure machine and the judging.

import type { Ruling } from '@sallyport/core'
import type { ErrorWords, SqlText } from './messages.js'

/** A text that was prepared, by message or by SQL, and what was decided about it then. */
export interface Definition {
  readonly sql: SqlText
  /** Type OIDs of its parameters, as far as they are known; 0: not given. */
  types: readonly number[]
  readonly answer: Answer
}

export type Question =
  | { readonly form: 'query'; readonly sql: SqlText }
  | { readonly form: 'parse'; readonly sql: SqlText }
  | {
      readonly form: 'execute'
      /** What the portal runs; undefined: a name that no message prepared. */
      readonly definition: Definition | undefined
      readonly statementName: string
      readonly formats: readonly number[]
      readonly values: readonly (Buffer | null)[]
    }
  /** An Execute on a portal that no Bind made: a cursor declared in SQL. */
  | { readonly form: 'fetch'; readonly portal: string }
  | { readonly form: 'function-call' }
  /** The statement reached the number of rows it was allowed. */
  | { readonly form: 'rows'; readonly statement: number; readonly rows: number }

export interface Answer {
  /** Its number in the session; 0 where nothing was put on record (a Parse that was let through). */
  readonly statement: number
  readonly ruling: Ruling
  /** Set for a denial. */
  readonly words?: ErrorWords
  /** The text to send in place of the client's. */
  readonly text?: string
  /** Error and notice texts of this statement are covered; `details` covers only the fields that can hold row values. */
  readonly cover: 'nothing' | 'details' | 'everything'
  /** `tableOid.attnum` that may not be the origin of a result column. */
  readonly forbiddenOrigins: readonly string[]
  /** It may ask the client for COPY data, so what the client sends next is not yet known to be a message or data. */
  readonly mayCopyIn: boolean
  /** Which columns were masked, and how, as far as this statement reaches them; the same key means the same masks. */
  readonly masksKey: string
}
