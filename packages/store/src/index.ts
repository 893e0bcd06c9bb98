// The only room that knows Postgres: the embedded server, the schema, and every query.

export { connectionFromUrl } from './connection.js'
export type { StoreConnection, StoreLog } from './connection.js'
export { lockDirectory } from './directory-lock.js'
export type { DirectoryLock } from './directory-lock.js'
export { startEmbedded } from './embedded.js'
export type { EmbeddedOptions, EmbeddedPostgres } from './embedded.js'
export { createSink } from './sink.js'
export type * from './record-types.js'
export { openStore } from './store.js'
export type { Store } from './store.js'
export type { TokenRecord, TokenTable } from './tokens.js'
export type { Decision, ReviewRecord, ReviewState, ReviewTable } from './reviews.js'
export type { Definitions, DefinitionsTable } from './definitions.js'
export type {
  FoundStatement,
  SearchFilter,
  SessionDetail,
  SessionFilter,
  SessionSummary,
  SessionTable,
  StatementRecord,
} from './sessions.js'
export type { EventFilter, RecordedEvent } from './events.js'
export type { StoredFrames } from './frames.js'
export type { Notices } from './notices.js'
