// Blocks lie in one partition a day, made when the first block of that day is shipped.

import type { Client } from 'pg'
import type { Block } from './record-types.js'

const DAY_MS = 86_400_000
/** Two nodes may meet the new day at once; 'days' in ASCII. */
const PARTITION_LOCK = 0x64617973
/** A node that runs for years needs only today and a few days of a late spool. */
const REMEMBERED_DAYS = 64

const isoDay = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 10)

async function createDay(client: Client, day: string): Promise<void> {
  const next = isoDay(Date.parse(day) + DAY_MS)
  // A day is digits and hyphens by construction, so it may stand in the text, where DDL takes no parameters.
  await client.query('begin')
  try {
    await client.query('select pg_advisory_xact_lock($1)', [PARTITION_LOCK])
    await client.query(
      `create table if not exists sallyport.blocks_${day.replaceAll('-', '')} partition of sallyport.blocks for values from ('${day}') to ('${next}')`,
    )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

/** Makes the partitions these blocks need; `known` remembers which are there. */
export async function ensureDays(client: Client, known: Set<string>, blocks: readonly Block[]): Promise<void> {
  const days = new Set(blocks.map((block) => isoDay(Math.floor(block.firstAt / 1000))))
  for (const day of days) {
    if (known.has(day)) continue
    await createDay(client, day)
    if (known.size >= REMEMBERED_DAYS) known.clear()
    known.add(day)
  }
}
