// What tools last said of themselves, so that a changed description is noticed also by another node, and after a restart.

import { sql } from 'kysely'
import type { Database } from './schema.js'
import { storable, stored } from './text.js'

export interface ToolTable {
  /** Digests by the tool's name. `place`: where the list comes from. */
  digests(place: string): Promise<ReadonlyMap<string, string>>
  keep(place: string, digests: ReadonlyMap<string, string>): Promise<void>
}

/** A server may name tools without end. */
const maxTools = 2_000

export function toolTable(database: Database): ToolTable {
  return {
    async digests(place) {
      const rows = await database
        .selectFrom('sallyport.tools')
        .select(['name', 'digest'])
        .where('place', '=', storable(place))
        .limit(maxTools)
        .execute()
      return new Map(rows.map(({ name, digest }) => [stored(name), digest]))
    },
    async keep(place, digests) {
      const rows = [...digests]
        .slice(0, maxTools)
        .map(([name, digest]) => ({ place: storable(place), name: storable(name), digest }))
      if (rows.length === 0) return
      const { kept } = await database
        .selectFrom('sallyport.tools')
        .select(({ fn }) => fn.countAll<string>().as('kept'))
        .where('place', '=', storable(place))
        .executeTakeFirstOrThrow()
      if (Number(kept) + rows.length > 2 * maxTools) return
      await database
        .insertInto('sallyport.tools')
        .values(rows)
        .onConflict((conflict) =>
          conflict.columns(['place', 'name']).doUpdateSet((row) => ({ digest: row.ref('excluded.digest'), seen_at: sql`now()` })),
        )
        .execute()
    },
  }
}
