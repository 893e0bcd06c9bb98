// One parsed statement: what kind it is, and what it names besides what its expressions do.

import type { Block, Reading, TableName, TableReference } from './reading.js'

/** A table that is written, and which of its columns; none named: all or some of them. */
export interface Written {
  readonly verb: 'insert' | 'replace' | 'update' | 'delete'
  readonly table: TableReference
  readonly columns: readonly string[]
  readonly bounded: boolean | undefined
}

/** Something done to an object that is not about its rows. */
interface Done {
  readonly access: 'schema' | 'admin' | 'write' | 'read' | 'unknown'
  readonly verb: string
  /** undefined: no object; a string: a name that is no table (a database). */
  readonly object: TableName | string | undefined
}

export interface Statement {
  /** `query`: reads alone, and can be masked where it stands. `write`: changes rows. `other`: everything else. */
  readonly kind: 'query' | 'write' | 'other'
  readonly reading: Reading
  readonly root: Block
  /** Tokens. */
  readonly start: number
  end: number
  readonly written: Written[]
  readonly done: Done[]
  /** Tables of which everything counts as read (their content moves, or is shown in ways that cannot be masked). */
  readonly whole: TableName[]
  refusal?: string
  use?: string
  /** EXPLAIN prints expressions, and the values that the optimizer read to make its plan. */
  explains?: boolean
  prepares?: { readonly name: string; readonly text: string | undefined }
  executes?: string
  executesText?: { readonly text: string | undefined }
  deallocates?: string
  kills?: { readonly id: number; readonly what: 'query' | 'connection' }
  /** What it sets of what texts are read under can only be told by running it. */
  unsettles?: boolean
  /** HANDLER ... OPEN: rows of what it reads come by this name from here on. */
  opens?: string
  /** SHOW WARNINGS and the like repeat the texts of errors. */
  diagnostics?: boolean
  changesCatalog?: boolean
  makesTemporary?: TableName
  /** Holds a password. */
  holdsSecret?: boolean
}
