// The shipper's way in: one transaction a batch, with the node's position, so that nothing is shipped twice and nothing is lost. Holds a
// lock on the node's name, so that two gateways of one name cannot mix their records.

import type { Client } from 'pg'
import { Misconfigured, Unreachable } from '@sallyport/core'
import { createClient } from './connection.js'
import type { StoreConnection } from './connection.js'
import { CopyRows, copyRows } from './copy.js'
import { ensureDays } from './partitions.js'
import type {
  Block,
  FrameSink,
  SessionFacts,
  SessionProgress,
  ShippedBatch,
  ShippedState,
  StatementRow,
  StatementPatch,
} from './record-types.js'
import { storable, storableJson, storableOrNull, stored, storedOrNull } from './text.js'

/** The first of the two numbers of the advisory lock; the second is the hash of the node's name. */
const NODE_LOCK = 0x6e6f6465
/** A batch takes tens of milliseconds; one that takes this long is stuck behind a lock or a dead disk. */
const WRITE_WITHIN_MS = 120_000

const statementColumns =
  'session, number, at, kind, text, parameters, effects, held, provenance, ' +
  'ruling, cause, rule, reason, reviewers, masks, forwarded, rows, bytes, duration_ms, error'

function statementRows(statements: readonly StatementRow[]): CopyRows {
  const rows = new CopyRows()
  for (const statement of statements) {
    const { ruling, outcome } = statement
    rows.row(20)
    rows.text(storable(statement.session))
    rows.bigint(statement.number)
    rows.timestamp(statement.at)
    rows.text(statement.kind)
    rows.text(storable(statement.text))
    rows.json(storableJson(statement.parameters))
    rows.json(storableJson(statement.effects))
    rows.boolean(statement.held)
    rows.text(storableOrNull(statement.provenance))
    rows.text(ruling?.kind ?? null)
    rows.text(ruling?.cause ?? null)
    rows.text(storableOrNull(ruling?.rule ?? null))
    rows.text(storableOrNull(ruling?.reason ?? null))
    if (ruling === null) rows.null()
    else rows.json(storableJson(ruling.reviewers))
    if (ruling === null) rows.null()
    else rows.json(storableJson(ruling.masks))
    rows.text(storableOrNull(ruling?.forwarded ?? null))
    rows.bigint(outcome?.rows ?? null)
    rows.bigint(outcome?.bytes ?? null)
    rows.double(outcome?.durationMs ?? null)
    rows.text(storableOrNull(outcome?.error ?? null))
  }
  return rows
}

function blockRows(blocks: readonly Block[]): CopyRows {
  const rows = new CopyRows()
  for (const block of blocks) {
    rows.row(11)
    rows.date(block.firstAt)
    rows.text(storable(block.session))
    rows.bigint(block.number)
    rows.bigint(block.firstFrame)
    rows.bigint(block.frames)
    rows.timestamp(block.firstAt)
    rows.bytes(block.previous)
    rows.bytes(block.hash)
    rows.text(block.encoding)
    rows.bigint(block.rawBytes)
    rows.bytes(block.bytes)
  }
  return rows
}

/** Exact to the microsecond: a double holds whole microseconds until the year 2255, which `to_timestamp(seconds)` would not. */
const at = (name: string): string => `timestamptz 'epoch' + ${name} * interval '1 microsecond'`

const insertSessions = `
insert into sallyport.sessions (id, node, identity, identity_id, identity_kind, groups, on_behalf_of, target, protocol, client_address,
  application, tls, started_at, spool_number, frames, blocks, hash, highest_statement, checkpointed, last_at)
select f.id, f.node, f.identity, f."identityId", f.kind, f.groups, f."onBehalfOf", f.target, f.protocol, f.address,
  f.application, f.tls, ${at('f."startedAt"')}, 0, 0, 0, '', -1, 0, ${at('f."startedAt"')}
from jsonb_to_recordset($1::jsonb) as f (id text, node text, identity text, "identityId" text, kind text, groups jsonb, "onBehalfOf" text,
  target text, protocol text, address text, application text, tls boolean, "startedAt" bigint)`

const updateSessions = `
update sallyport.sessions s set spool_number = p."spoolNumber", frames = p.frames, blocks = p.blocks, hash = decode(p.hash, 'hex'),
  statements = p.statements, denied = p.denied, bytes = p.bytes, highest_statement = p."highestStatement",
  checkpointed = p.checkpointed, last_at = ${at('p."lastAt"')}, ended_at = ${at('p."endedAt"')}, outcome = p.outcome
from jsonb_to_recordset($1::jsonb) as p (id text, "spoolNumber" bigint, frames bigint, blocks bigint, hash text, statements bigint,
  denied bigint, bytes bigint, "highestStatement" bigint, checkpointed bigint, "lastAt" bigint, "endedAt" bigint, outcome text)
where s.id = p.id`

const patchRulings = `
update sallyport.statements s set ruling = p.ruling, cause = p.cause, rule = p.rule, reason = p.reason, reviewers = p.reviewers,
  masks = p.masks, forwarded = p.forwarded
from jsonb_to_recordset($1::jsonb) as p (session text, number bigint, ruling text, cause text, rule text, reason text, reviewers jsonb,
  masks jsonb, forwarded text)
where s.session = p.session and s.number = p.number`

const patchOutcomes = `
update sallyport.statements s set rows = p.rows, bytes = p.bytes, duration_ms = p."durationMs", error = p.error
from jsonb_to_recordset($1::jsonb) as p (session text, number bigint, rows bigint, bytes bigint, "durationMs" double precision, error text)
where s.session = p.session and s.number = p.number`

const insertCheckpoints = `
insert into sallyport.checkpoints (key, number, session, body, signature)
select c.key, c.number, c.session, c.body, decode(c.signature, 'hex')
from jsonb_to_recordset($1::jsonb) as c (key text, number bigint, session text, body text, signature text)`

function factsJson(facts: SessionFacts): unknown {
  const { identity, client } = facts
  return {
    ...facts,
    identity: identity.name,
    identityId: identity.id,
    kind: identity.kind,
    groups: identity.groups,
    address: client.address,
    application: client.application,
    tls: client.tls,
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

async function writeRows(client: Client, batch: ShippedBatch): Promise<void> {
  const each = async (sql: string, rows: readonly unknown[]): Promise<number> =>
    rows.length === 0 ? 0 : ((await client.query(sql, [storableJson(rows)])).rowCount ?? 0)
  const rulings = batch.patches.filter((patch) => patch.ruling !== null)
  const outcomes = batch.patches.filter((patch) => patch.outcome !== null)
  await each(insertSessions, batch.opened.map(factsJson))
  if (batch.blocks.length > 0) {
    const columns = 'day, session, number, first_frame, frames, first_at, previous, hash, encoding, raw_bytes, bytes'
    await copyRows(client, `sallyport.blocks (${columns})`, blockRows(batch.blocks))
  }
  if (batch.statements.length > 0)
    await copyRows(client, `sallyport.statements (${statementColumns})`, statementRows(batch.statements))
  const place = ({ session, number }: StatementPatch): { session: string; number: number } => ({ session, number })
  await each(
    patchRulings,
    rulings.map((patch) => ({ ...place(patch), ...patch.ruling, ruling: patch.ruling?.kind })),
  )
  await each(
    patchOutcomes,
    outcomes.map((patch) => ({ ...place(patch), ...patch.outcome })),
  )
  const updated = await each(
    updateSessions,
    batch.progress.map((progress) => ({ ...progress, hash: hex(progress.hash) })),
  )
  // The shipper then asks anew where it stands, and keeps what comes for the sessions that are gone under a name that says so.
  if (updated !== batch.progress.length)
    throw new Misconfigured('sessions-gone', 'sessions that were being recorded are gone from the database')
  await each(
    insertCheckpoints,
    batch.checkpoints.map((checkpoint) => ({ ...checkpoint, signature: hex(checkpoint.signature) })),
  )
}

async function inTransaction(client: Client, work: () => Promise<void>): Promise<void> {
  await client.query('begin')
  try {
    await work()
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

interface LiveRow {
  readonly id: string
  readonly spool_number: number
  readonly frames: number
  readonly blocks: number
  readonly hash: Buffer
  readonly statements: number
  readonly denied: number
  readonly bytes: number
  readonly highest_statement: number
  readonly checkpointed: number
  readonly last_at: number
  readonly ended_at: number | null
  readonly outcome: string | null
}

function progressOf(row: LiveRow): SessionProgress {
  return {
    id: stored(row.id),
    spoolNumber: row.spool_number,
    frames: row.frames,
    blocks: row.blocks,
    hash: row.hash,
    statements: row.statements,
    denied: row.denied,
    bytes: row.bytes,
    highestStatement: row.highest_statement,
    checkpointed: row.checkpointed,
    lastAt: row.last_at,
    endedAt: row.ended_at,
    outcome: storedOrNull(row.outcome),
  }
}

/** Whole microseconds: extract() answers numeric, which is exact (PostgreSQL 14 and later). */
export const microsecondsOf = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`

async function readState(
  client: Client,
  node: { readonly name: string; readonly key: string; readonly publicKey: string },
): Promise<ShippedState> {
  const name = storable(node.name)
  await client.query('insert into sallyport.nodes (name) values ($1) on conflict do nothing', [name])
  await client.query('insert into sallyport.node_keys (id, node, public_key) values ($1, $2, $3) on conflict do nothing', [
    node.key,
    name,
    node.publicKey,
  ])
  const position = await client.query<{ position: number }>('select position from sallyport.nodes where name = $1', [name])
  const live = await client.query<LiveRow>(
    `select id, spool_number, frames, blocks, hash, statements, denied, bytes, highest_statement, checkpointed,
       ${microsecondsOf('last_at')} as last_at, ${microsecondsOf('ended_at')} as ended_at, outcome
     from sallyport.sessions where node = $1 and ended_at is null`,
    [name],
  )
  const newest = await client.query<{ number: number; body: string }>(
    'select number, body from sallyport.checkpoints where key = $1 order by number desc limit 1',
    [node.key],
  )
  return { position: position.rows[0]?.position ?? 0, live: live.rows.map(progressOf), checkpoint: newest.rows[0] ?? null }
}

class StoreSink implements FrameSink {
  readonly #connection: StoreConnection
  #client: Client | undefined
  #node = ''
  readonly #days = new Set<string>()

  constructor(connection: StoreConnection) {
    this.#connection = connection
  }

  async open(node: { readonly name: string; readonly key: string; readonly publicKey: string }): Promise<ShippedState> {
    await this.close()
    const client = createClient(this.#connection, 'shipper', WRITE_WITHIN_MS)
    // The failed query tells; without a listener a broken connection between two queries would end the thread.
    client.on('error', () => undefined)
    await client.connect()
    this.#client = client
    this.#node = storable(node.name)
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1, hashtext($2)) as locked', [
      NODE_LOCK,
      this.#node,
    ])
    if (rows[0]?.locked !== true)
      throw new Misconfigured('node-in-use', `another gateway records as node ${node.name}: give each its own name`)
    return readState(client, node)
  }

  async write(batch: ShippedBatch): Promise<void> {
    const client = this.#client
    if (client === undefined) throw new Unreachable('database-gone', 'the shipper has no connection')
    await ensureDays(client, this.#days, batch.blocks)
    await inTransaction(client, async () => {
      const moved = await client.query(
        'update sallyport.nodes set position = $3, shipped_at = now() where name = $1 and position = $2',
        [this.#node, batch.from, batch.to],
      )
      if (moved.rowCount !== 1) throw new Misconfigured('node-moved', `node ${this.#node} is not where its shipper left it`)
      await writeRows(client, batch)
    })
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }
}

export function createSink(connection: StoreConnection): FrameSink {
  return new StoreSink(connection)
}
