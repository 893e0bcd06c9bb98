// The targets' catalogues: tables, columns and views, as queries on a side connection tell. Kept per target.

import { Misconfigured } from '@sallyport/core'
import type { Reach, Settled } from '@sallyport/core'
import { KeptCatalogues, MysqlCatalog, mysqlCatalogQueries } from '@sallyport/sql'
import type { Freshness, MysqlCatalogRows } from '@sallyport/sql'
import { capability } from './packets.js'
import { logIn } from './upstream.js'

const readMs = 30_000

export class Catalogues {
  /** A catalogue holds all databases of its server. */
  readonly #kept = new KeptCatalogues<MysqlCatalogRows, MysqlCatalog>({
    placeOf: ({ name, address }) => `${name}\0${address}`,
    read: readCatalogue,
    // What is remembered of texts rests on the catalogue: one that is still the same stays the same object.
    made: (rows, before) => (before?.isOf(rows) === true ? before : catalogOf(rows)),
  })
  readonly #given = new Map<string, MysqlCatalog>()

  /** At once where what is known is fresh enough. Throws Unreachable where the catalogue cannot be read: then nothing can be understood. */
  of(reach: Reach, freshness: Freshness): Settled<MysqlCatalog> {
    return this.#kept.of(reach, freshness)
  }

  /** What a target said earlier: `readCatalogue`'s answer as JSON. Throws Misconfigured for any other text. */
  given(text: string): MysqlCatalog {
    const made = this.#given.get(text) ?? catalogOf(rowsIn(text))
    this.#given.set(text, made)
    return made
  }

  /** A statement changed the schema. */
  markStale(reach: Reach): void {
    this.#kept.markStale(reach)
  }
}

const catalogOf = ({ columns, views, functions, version }: MysqlCatalogRows): MysqlCatalog =>
  new MysqlCatalog(columns, views, functions, version)

/** Throws Unreachable. */
export async function readCatalogue(reach: Reach): Promise<MysqlCatalogRows> {
  const signal = AbortSignal.any([reach.signal, AbortSignal.timeout(readMs)])
  const { line } = await logIn(reach, capability.deprecateEof, new Map(), signal)
  line.stream.on('error', () => {})
  try {
    const columns = await line.query(mysqlCatalogQueries.columns, true, 'reading the catalogue')
    const views = await line.query(mysqlCatalogQueries.views, true, 'reading the catalogue')
    const functions = await line.query(mysqlCatalogQueries.functions, true, 'reading the catalogue')
    const [[version] = []] = await line.query(mysqlCatalogQueries.version, true, 'reading the catalogue')
    return { columns, views, functions, version: version ?? '' }
  } finally {
    line.quit()
  }
}

function rowsIn(text: string): MysqlCatalogRows {
  const value: unknown = JSON.parse(text)
  const {
    columns,
    views,
    functions,
    version = '',
  } = { ...(typeof value === 'object' ? value : {}) } as Partial<Record<string, unknown>>
  if (isRows(columns) && isRows(views) && isRows(functions) && typeof version === 'string')
    return { columns, views, functions, version }
  throw new Misconfigured(
    'bad-catalogue',
    'this is no catalogue of a MySQL server; print one with `sallyport targets schema TARGET`',
  )
}

function isRows(value: unknown): value is MysqlCatalogRows['columns'] {
  const isCell = (cell: unknown): boolean => cell === null || typeof cell === 'string'
  return Array.isArray(value) && value.every((row) => Array.isArray(row) && row.every(isCell))
}
