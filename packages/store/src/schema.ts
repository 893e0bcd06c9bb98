// The tables as Kysely knows them; migrations.ts makes them.

import { Kysely, PostgresDialect } from 'kysely'
import type { Generated, ColumnType } from 'kysely'
import type { Pool } from 'pg'
import type { DenialCause, Effect, Mask, ProviderLogin, ReviewAsk, StatementKind, TokenVerifiers } from '@sallyport/core'

/** Read as the value, written as JSON text that `storableJson` made. */
type Json<T> = ColumnType<T, string, string>

interface Tokens {
  id: string
  identity: string
  on_behalf_of: string | null
  lookup: string
  verifiers: Json<TokenVerifiers>
  created_at: Date
  expires_at: Date
  revoked_at: Date | null
  created_by: string
  login: ColumnType<ProviderLogin | null, string | null, string | null>
}

interface Reviews {
  id: string
  session: string
  statement: number
  identity: string
  on_behalf_of: string | null
  target: string
  text: string
  parameters: Json<readonly (string | null)[]>
  effects: Json<readonly Effect[]>
  binding: string
  asks: Json<readonly ReviewAsk[]>
  created_at: Date
  expires_at: Date
  state: 'open' | 'approved' | 'denied' | 'expired' | 'withdrawn'
  settled_at: Date | null
}

interface Decisions {
  review: string
  reviewer: string
  kind: 'approve' | 'deny'
  reason: string
  at: Date
  groups: Json<readonly string[]>
}

interface Definitions {
  revision: Generated<number>
  text: string
  written_by: string
  written_at: Generated<Date>
}

export interface Sessions {
  id: string
  node: string
  identity: string
  identity_id: string
  identity_kind: string
  groups: Json<readonly string[]>
  on_behalf_of: string | null
  target: string
  protocol: string
  client_address: string
  application: string | null
  tls: boolean
  started_at: Date
  ended_at: Date | null
  outcome: string | null
  statements: number
  denied: number
  bytes: number
  spool_number: number
  frames: number
  blocks: number
  hash: Buffer
  highest_statement: number
  checkpointed: number
  last_at: Date
}

export interface Statements {
  session: string
  number: number
  at: Date
  kind: StatementKind
  text: string
  parameters: Json<readonly (string | null)[]>
  effects: Json<readonly Effect[]>
  held: boolean
  provenance: string | null
  ruling: 'allow' | 'mask' | 'deny' | null
  cause: DenialCause | null
  rule: string | null
  reason: string | null
  reviewers: Json<readonly string[] | null>
  masks: Json<readonly Mask[] | null>
  forwarded: string | null
  rows: number | null
  bytes: number | null
  duration_ms: number | null
  error: string | null
}

interface Blocks {
  day: string
  session: string
  number: number
  first_frame: number
  frames: number
  first_at: Date
  previous: Buffer
  hash: Buffer
  encoding: 'raw' | 'brotli'
  raw_bytes: number
  bytes: Buffer
}

interface Checkpoints {
  key: string
  number: number
  session: string
  body: string
  signature: Buffer
}

interface NodeKeys {
  id: string
  node: string
  public_key: string
  added_at: Generated<Date>
}

interface Tools {
  place: string
  name: string
  digest: string
  seen_at: Generated<Date>
}

export interface Tables {
  'sallyport.tokens': Tokens
  'sallyport.reviews': Reviews
  'sallyport.decisions': Decisions
  'sallyport.definitions': Definitions
  'sallyport.sessions': Sessions
  'sallyport.statements': Statements
  'sallyport.blocks': Blocks
  'sallyport.checkpoints': Checkpoints
  'sallyport.node_keys': NodeKeys
  'sallyport.tools': Tools
}

export type Database = Kysely<Tables>

export function openDatabase(pool: Pool): Database {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
}
