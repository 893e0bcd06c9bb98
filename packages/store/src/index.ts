// The only room that knows Postgres: the embedded server, the schema, and every query.

export { connectionFromUrl } from './connection.js'
export type { StoreConnection, StoreLog } from './connection.js'
export { lockDirectory } from './directory-lock.js'
export type { DirectoryLock } from './directory-lock.js'
export { startEmbedded } from './embedded.js'
export type { EmbeddedOptions, EmbeddedPostgres } from './embedded.js'
export { createSink } from './sink.js'
export type * from './record-types.js'
