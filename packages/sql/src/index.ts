// What SQL texts mean, and masking at the source.

export { postgresCatalogQuery } from './postgres/catalog-query.js'
export { parsePostgresCatalog } from './postgres/catalog.js'
export type { CatalogColumn, CatalogRelation, PostgresCatalog } from './postgres/catalog.js'
export { holdsToken } from './postgres/transforms.js'
export { openSqlReader } from './reader.js'
export type { SqlReader, SqlReaderOptions } from './reader.js'
export type { Rewriting, SqlContext, Understanding } from './understanding.js'
