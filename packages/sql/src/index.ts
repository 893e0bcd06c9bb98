// What SQL texts mean, and masking at the source.

export { KeptCatalogues } from './kept-catalogues.js'
export type { Freshness } from './kept-catalogues.js'
export { masksKeyOf, onlyReads, saltFor, writtenBack } from './masks.js'
export { postgresCatalogQuery } from './postgres/catalog-query.js'
export { emptyCatalog, parsePostgresCatalog } from './postgres/catalog.js'
export type { CatalogColumn, CatalogRelation, PostgresCatalog } from './postgres/catalog.js'
export { openSqlReader } from './reader.js'
export type { SqlReader, SqlReaderOptions } from './reader.js'
export type { Rewriting, SqlContext, Understanding } from './understanding.js'

export { MysqlCatalog, mysqlCatalogQueries } from './mysql/catalog.js'
export type { MysqlCatalogRows } from './mysql/catalog.js'
export { openMysqlReader } from './mysql/reader.js'
export type { MysqlReader } from './mysql/reader.js'
export { notUnderstood as mysqlNotUnderstood } from './mysql/understand.js'
export type { MysqlContext, MysqlUnderstanding } from './mysql/understand.js'
export { allowedSqlModes } from './mysql/words.js'
