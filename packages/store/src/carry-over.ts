// Copies all that a store keeps from one database into an empty one, table by table, and proves it: counts and sums of both are compared.

import { pipeline } from 'node:stream/promises'
import type { Client } from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { Misconfigured } from '@sallyport/core'
import { createClient } from './connection.js'
import type { StoreConnection } from './connection.js'
import { migrate } from './migrate.js'
import { migrations } from './migrations.js'

export type CarryOver = (old: StoreConnection, fresh: StoreConnection) => Promise<void>

/** Hundreds of gigabytes at a modest disk's speed; somebody who watches can end it, and the next start does it again. */
const TABLE_WITHIN_MS = 24 * 3_600_000

interface Partition {
  readonly name: string
  readonly parent: string
  readonly bound: string
}

const tablesQuery = `select format('%I.%I', 'sallyport', relname) as name from pg_class
  where relnamespace = 'sallyport'::regnamespace and relkind = 'r' and relname <> 'migrations' order by relname`

const partitionsQuery = `select format('%I.%I', 'sallyport', c.relname) as name, i.inhparent::regclass::text as parent, pg_get_expr(c.relpartbound, c.oid) as bound
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where c.relnamespace = 'sallyport'::regnamespace and c.relispartition and c.relkind = 'r'`

const sequencesQuery = `select format('%I.%I', schemaname, sequencename) as name, last_value as value from pg_sequences
  where schemaname = 'sallyport' and last_value is not null`

/** The same steps in the same order, no more: the old database is read as it is, and what is new is done afterwards, in the new one. */
async function shapeAlike(old: Client, fresh: Client): Promise<void> {
  const { rows } = await old.query<{ number: number }>('select number from sallyport.migrations')
  const done = new Set(rows.map((row) => row.number))
  const newest = Math.max(0, ...migrations.map((step) => step.number))
  if (rows.some((row) => row.number > newest))
    throw new Misconfigured('database-newer', 'the database was used by a newer Sallyport: run that one')
  await migrate(
    fresh,
    migrations.filter((step) => done.has(step.number)),
  )
  const partitions = await old.query<Partition>(partitionsQuery)
  for (const { name, parent, bound } of partitions.rows) await fresh.query(`create table ${name} partition of ${parent} ${bound}`)
}

/** Rows and a sum over each row's text: the order of rows does not count, their content does. */
async function sumOf(client: Client, table: string): Promise<string> {
  const { rows } = await client.query<{ sum: string }>(
    `select count(*) || ' rows, sum ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) as sum from ${table} t`,
  )
  return rows[0]?.sum ?? ''
}

async function copyTable(old: Client, fresh: Client, table: string): Promise<void> {
  await pipeline(
    old.query(copyTo(`copy ${table} to stdout (format binary)`)),
    fresh.query(copyFrom(`copy ${table} from stdin (format binary)`)),
  )
  const [before, after] = [await sumOf(old, table), await sumOf(fresh, table)]
  if (before !== after)
    throw new Misconfigured('embedded-upgrade', `${table} was not copied whole: ${before} before, ${after} after`)
}

async function copyAll(old: Client, fresh: Client): Promise<void> {
  const { rows } = await old.query<{ found: boolean }>(`select to_regclass('sallyport.migrations') is not null as found`)
  // A start that was cut short before the first migration left nothing to carry.
  if (rows[0]?.found !== true) return
  await shapeAlike(old, fresh)
  await fresh.query('begin')
  // Foreign keys were checked when the rows were first written; here parents may come after children.
  await fresh.query('set local session_replication_role = replica')
  const tables = await old.query<{ name: string }>(tablesQuery)
  for (const { name } of tables.rows) await copyTable(old, fresh, name)
  const sequences = await old.query<{ name: string; value: number }>(sequencesQuery)
  for (const { name, value } of sequences.rows) await fresh.query('select setval($1, $2)', [name, value])
  await fresh.query('commit')
  await fresh.query('analyze')
}

export const carryOver: CarryOver = async (from, to) => {
  const old = createClient(from, 'upgrade', TABLE_WITHIN_MS)
  const fresh = createClient(to, 'upgrade', TABLE_WITHIN_MS)
  // A connection that breaks fails the query that runs on it.
  for (const client of [old, fresh]) client.on('error', () => undefined)
  try {
    await Promise.all([old.connect(), fresh.connect()])
    await old.query('set default_transaction_read_only = on')
    await copyAll(old, fresh)
  } finally {
    await Promise.allSettled([old.end(), fresh.end()])
  }
}
