// Brings the database to this Sallyport's shape: one transaction a step, one node at a time, and never onto a shape it does not know.

import type { Client } from 'pg'
import { Misconfigured } from '@sallyport/core'
import { migrations } from './migrations.js'
import type { Migration } from './migrations.js'

/** Any number will do as long as nobody else takes it: 'sall' in ASCII. */
const MIGRATION_LOCK = 0x73616c6c

async function applied(client: Client): Promise<ReadonlyMap<number, string>> {
  await client.query('create schema if not exists sallyport')
  await client.query(
    'create table if not exists sallyport.migrations (number int primary key, name text not null, applied_at timestamptz not null default now())',
  )
  const { rows } = await client.query<{ number: number; name: string }>('select number, name from sallyport.migrations')
  return new Map(rows.map((row) => [row.number, row.name]))
}

async function apply(client: Client, step: Migration): Promise<void> {
  await client.query('begin')
  try {
    await client.query(step.sql)
    await client.query('insert into sallyport.migrations (number, name) values ($1, $2)', [step.number, step.name])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

/** Throws Misconfigured where the database is newer than this Sallyport. `steps` is for tests. */
export async function migrate(client: Client, steps: readonly Migration[] = migrations): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
  try {
    const done = await applied(client)
    const newest = Math.max(0, ...steps.map((step) => step.number))
    const unknown = [...done.keys()].filter((number) => number > newest)
    if (unknown.length > 0) {
      throw new Misconfigured(
        'database-newer',
        `the database is at step ${Math.max(...unknown)} and this Sallyport knows ${newest}: run the newer Sallyport`,
      )
    }
    for (const step of steps) if (!done.has(step.number)) await apply(client, step)
  } finally {
    await client.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined)
  }
}
