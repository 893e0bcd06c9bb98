// How to reach the database: a URL the operator wrote, or the socket of the embedded server. Plain data, so that it can be handed to a worker.

import { Client, Pool, types } from 'pg'
import type { ClientConfig, PoolConfig } from 'pg'
import { Misconfigured } from '@sallyport/core'

export type StoreConnection =
  | { readonly kind: 'url'; readonly url: string }
  | {
      readonly kind: 'socket'
      /** Directory of the unix socket. */
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
      readonly database: string
    }

export type StoreLog = (level: 'info' | 'warn' | 'error', message: string, facts?: Readonly<Record<string, unknown>>) => void

/** A database that does not answer is given up on after this long; the caller tries again with backoff. */
const CONNECT_WITHIN_MS = 5_000
/** Console queries over everything recorded stay far below this; what takes longer must not pile up on the server. */
const STATEMENT_WITHIN_MS = 30_000
/** A node needs few: logins, reviews and the console share them, the shipper and the listener have their own. */
const POOL_CONNECTIONS = 8

const INT8 = 20

/** Counters and numbers are far below 2^53; whatever is not is a corrupt row and must not pass as another number. */
function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`a number in the database is too large: ${text}`)
  return value
}

function clientConfig(connection: StoreConnection, purpose: string): ClientConfig {
  const reach =
    connection.kind === 'url'
      ? { connectionString: connection.url }
      : {
          host: connection.host,
          port: connection.port,
          user: connection.user,
          password: connection.password,
          database: connection.database,
        }
  return {
    ...reach,
    application_name: `sallyport ${purpose}`,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    keepAlive: true,
    types: {
      getTypeParser: (id: number, format?: 'text' | 'binary') =>
        id === INT8 && format !== 'binary' ? parseInt8 : types.getTypeParser(id, format),
    },
  }
}

/** One connection of its own; the caller connects it, listens for its `error` and ends it. */
export function createClient(
  connection: StoreConnection,
  purpose: string,
  statementWithinMs: number = STATEMENT_WITHIN_MS,
): Client {
  return new Client({ ...clientConfig(connection, purpose), statement_timeout: statementWithinMs })
}

export function createPool(connection: StoreConnection, log: StoreLog): Pool {
  const config: PoolConfig = {
    ...clientConfig(connection, 'store'),
    max: POOL_CONNECTIONS,
    idleTimeoutMillis: 60_000,
    statement_timeout: STATEMENT_WITHIN_MS,
    idle_in_transaction_session_timeout: 60_000,
  }
  const pool = new Pool(config)
  // An idle connection that breaks is replaced by the pool at the next query; without a listener it would end the process.
  pool.on('error', (error) => log('warn', 'an idle database connection was lost', { error: error.message }))
  return pool
}

/** Refuses early what `pg` would only say at the first query, and never repeats the password. */
export function connectionFromUrl(url: string): StoreConnection {
  let scheme: string
  try {
    scheme = new URL(url).protocol
  } catch {
    throw new Misconfigured(
      'database-url',
      'database: this is not a URL; write postgresql://USER:PASSWORD@HOST:5432/DATABASE or `embedded`',
    )
  }
  if (scheme !== 'postgresql:' && scheme !== 'postgres:') {
    throw new Misconfigured(
      'database-url',
      `database: ${scheme} is not supported; write postgresql://USER:PASSWORD@HOST:5432/DATABASE`,
    )
  }
  return { kind: 'url', url }
}
