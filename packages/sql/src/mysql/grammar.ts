// What the parts of the grammar share: expressions hold queries and queries expressions, so they call each other through this.

import type { Cursor } from './cursor.js'
import type { Narrowing } from './narrowing.js'
import type { Block, Reading } from './reading.js'
import type { ServerVersion } from './server-version.js'

export interface Grammar {
  readonly cursor: Cursor
  readonly reading: Reading
  readonly server: ServerVersion | undefined
  /** Common table expressions in force, by name, innermost last. */
  readonly common: string[]
  /** A query in parentheses or at the beginning of a statement, up to what cannot belong to it. */
  query(parent: Block | undefined): void
  expression(block: Block): Narrowing
}

export function isQueryAhead(cursor: Cursor): boolean {
  return (
    cursor.isWord('SELECT', 'WITH') ||
    (cursor.isWord('VALUES') && !cursor.isSignAhead(1, '(')) ||
    (cursor.isWord('TABLE') && !cursor.isSignAhead(1, '('))
  )
}
