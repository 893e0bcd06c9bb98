// The database, opened: migrated, with every table the other rooms ask for.

import type { RecordedEvent } from '@sallyport/core'
import { sql } from 'kysely'
import { Unreachable, isKnownError } from '@sallyport/core'
import { createClient, createPool } from './connection.js'
import type { StoreConnection, StoreLog } from './connection.js'
import { definitionsTable } from './definitions.js'
import type { DefinitionsTable } from './definitions.js'
import { readEvents } from './events.js'
import type { EventFilter } from './events.js'
import { storedFrames } from './frames.js'
import type { StoredFrames } from './frames.js'
import { migrate } from './migrate.js'
import { openNotices } from './notices.js'
import type { Notices } from './notices.js'
import type { FrameSink } from './record-types.js'
import { reviewTable } from './reviews.js'
import type { ReviewTable } from './reviews.js'
import { openDatabase } from './schema.js'
import { sessionTable } from './sessions.js'
import type { SessionTable } from './sessions.js'
import { createSink } from './sink.js'
import { tokenTable } from './tokens.js'
import type { TokenTable } from './tokens.js'
import { toolTable } from './tools.js'
import type { ToolTable } from './tools.js'

export interface Store {
  readonly tokens: TokenTable
  readonly reviews: ReviewTable
  readonly definitions: DefinitionsTable
  readonly sessions: SessionTable
  readonly tools: ToolTable
  /** What was recorded, oldest first. */
  events(filter: EventFilter): AsyncIterable<RecordedEvent>
  readonly frames: StoredFrames
  readonly notices: Pick<Notices, 'send' | 'listen'>
  /** For the shipper; a connection of its own. */
  sink(): FrameSink
  healthy(): Promise<boolean>
  close(): Promise<void>
}

/** A migration may rewrite a large table. */
const MIGRATE_WITHIN_MS = 30 * 60_000
const HEALTHY_WITHIN_MS = 2_000

async function migrateFirst(connection: StoreConnection): Promise<void> {
  const client = createClient(connection, 'migrations', MIGRATE_WITHIN_MS)
  // A connection that breaks fails the query that runs on it.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await migrate(client)
  } catch (error) {
    if (isKnownError(error)) throw error
    const message = error instanceof Error ? error.message : String(error)
    throw new Unreachable('database-gone', `the database cannot be used: ${message}`, { cause: error })
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Throws Unreachable where the database does not answer, Misconfigured where a newer Sallyport has been at it. */
export async function openStore(connection: StoreConnection, log: StoreLog = () => undefined): Promise<Store> {
  await migrateFirst(connection)
  const pool = createPool(connection, log)
  const database = openDatabase(pool)
  const notices = openNotices(connection, pool, log)
  return {
    tokens: tokenTable(database),
    reviews: reviewTable(database, notices),
    definitions: definitionsTable(database),
    sessions: sessionTable(database),
    tools: toolTable(database),
    events: (filter) => readEvents(database, filter),
    frames: storedFrames(database),
    notices,
    sink: () => createSink(connection),
    async healthy() {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), HEALTHY_WITHIN_MS)))
      const asked = sql`select 1`.execute(database).then(
        () => true,
        () => false,
      )
      return Promise.race([asked, late]).finally(() => clearTimeout(timer))
    },
    async close() {
      await notices.stop()
      await database.destroy()
    },
  }
}
