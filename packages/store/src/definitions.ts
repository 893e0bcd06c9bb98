// What the operator applied: targets, identities, grants and rules as one text, every revision kept.

import type { Database } from './schema.js'
import { storable, stored } from './text.js'

export interface Definitions {
  readonly revision: number
  readonly text: string
}

export interface DefinitionsTable {
  /** The newest. */
  read(): Promise<Definitions | undefined>
  /** Answers the new revision. */
  write(text: string, by: string): Promise<number>
}

export function definitionsTable(database: Database): DefinitionsTable {
  return {
    async read() {
      const row = await database
        .selectFrom('sallyport.definitions')
        .select(['revision', 'text'])
        .orderBy('revision', 'desc')
        .limit(1)
        .executeTakeFirst()
      return row === undefined ? undefined : { revision: row.revision, text: stored(row.text) }
    },
    async write(text, by) {
      const { revision } = await database
        .insertInto('sallyport.definitions')
        .values({ text: storable(text), written_by: storable(by) })
        .returning('revision')
        .executeTakeFirstOrThrow()
      return revision
    },
  }
}
