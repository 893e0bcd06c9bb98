// Access tokens: verifiers only, never a token.

import type { Selectable } from 'kysely'
import type { TokenRecord } from '@sallyport/core'
import type { Database, Tables } from './schema.js'
import { storable, storableJson, storableOrNull, stored, storedJson, storedOrNull } from './text.js'

export interface TokenTable {
  insert(record: TokenRecord): Promise<void>
  /** Newest first. */
  list(): Promise<TokenRecord[]>
  /** Those neither revoked nor expired. */
  byIdentity(name: string): Promise<TokenRecord[]>
  /** Also a revoked or expired one: what that means is for the caller to say. */
  byLookup(lookup: string): Promise<TokenRecord | undefined>
  byId(id: string): Promise<TokenRecord | undefined>
  /** Whether it was live until now. */
  revoke(id: string, at: Date): Promise<boolean>
}

/** More live tokens than a login could try in a sensible time. */
const TOKENS_OF_ONE_IDENTITY = 100
const LISTED_TOKENS = 10_000

function recordOf(row: Selectable<Tables['sallyport.tokens']>): TokenRecord {
  return {
    id: row.id,
    identity: stored(row.identity),
    onBehalfOf: storedOrNull(row.on_behalf_of),
    lookup: row.lookup,
    verifiers: row.verifiers,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    createdBy: stored(row.created_by),
    login: row.login === null ? null : storedJson(row.login),
  }
}

export function tokenTable(database: Database): TokenTable {
  const tokens = database.selectFrom('sallyport.tokens').selectAll()
  return {
    async insert(record) {
      await database
        .insertInto('sallyport.tokens')
        .values({
          id: record.id,
          identity: storable(record.identity),
          on_behalf_of: storableOrNull(record.onBehalfOf),
          lookup: record.lookup,
          verifiers: storableJson(record.verifiers),
          created_at: record.createdAt,
          expires_at: record.expiresAt,
          revoked_at: record.revokedAt,
          created_by: storable(record.createdBy),
          login: record.login === null ? null : storableJson(record.login),
        })
        .execute()
    },
    async list() {
      return (await tokens.orderBy('created_at', 'desc').orderBy('id').limit(LISTED_TOKENS).execute()).map(recordOf)
    },
    async byIdentity(name) {
      const rows = await tokens
        .where('identity', '=', storable(name))
        .where('revoked_at', 'is', null)
        .where('expires_at', '>', new Date())
        .orderBy('created_at', 'desc')
        .limit(TOKENS_OF_ONE_IDENTITY)
        .execute()
      return rows.map(recordOf)
    },
    async byLookup(lookup) {
      const row = await tokens.where('lookup', '=', lookup).executeTakeFirst()
      return row === undefined ? undefined : recordOf(row)
    },
    async byId(id) {
      const row = await tokens.where('id', '=', storable(id)).executeTakeFirst()
      return row === undefined ? undefined : recordOf(row)
    },
    async revoke(id, at) {
      const { numUpdatedRows } = await database
        .updateTable('sallyport.tokens')
        .set({ revoked_at: at })
        .where('id', '=', storable(id))
        .where('revoked_at', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
  }
}
