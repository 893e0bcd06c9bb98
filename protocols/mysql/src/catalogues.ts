// The targets' catalogues: tables, columns and views, as queries on a side connection tell. Kept per target; read again when a statement changed the
// schema, when a name is unknown, and after a while in any case.

import { Misconfigured } from '@sallyport/core'
import type { Reach } from '@sallyport/core'
import { MysqlCatalog, mysqlCatalogQueries } from '@sallyport/sql'
import { capability } from './packets.js'
import { logIn } from './upstream.js'

/** A schema changed from outside the gateway is noticed after this at the latest. */
const staleMs = 30_000
/** An unknown name asks again, but not more often than this. */
const unknownNameMs = 1_000
const readMs = 30_000

export interface Catalogue {
  readonly content: MysqlCatalog
  readonly readAtMs: number
}

interface Place {
  current: Catalogue | undefined
  reading: Promise<Catalogue> | undefined
  stale: boolean
}

export type Freshness = 'any' | 'fresh' | 'unknown-name'

export class Catalogues {
  readonly #places = new Map<string, Place>()
  readonly #given = new Map<string, MysqlCatalog>()

  /** At once where what is known is fresh enough. Throws Unreachable where the catalogue cannot be read: then nothing can be understood. */
  of(reach: Reach, freshness: Freshness): Catalogue | Promise<Catalogue> {
    const place = this.#place(reach)
    const { current } = place
    if (current === undefined) return read(reach, place)
    const ageMs = Date.now() - current.readAtMs
    const enough = freshness === 'unknown-name' ? ageMs < unknownNameMs && !place.stale : !place.stale && ageMs < staleMs
    return freshness === 'any' || enough ? current : read(reach, place)
  }

  /** What a target said earlier: `readCatalogue`'s answer as JSON. Throws Misconfigured for any other text. */
  given(text: string): MysqlCatalog {
    const known = this.#given.get(text)
    if (known !== undefined) return known
    const { columns, views, functions } = rowsIn(text)
    const made = new MysqlCatalog(columns, views, functions)
    this.#given.set(text, made)
    return made
  }

  /** A statement changed the schema. */
  markStale(reach: Reach): void {
    this.#place(reach).stale = true
  }

  #place({ target }: Reach): Place {
    const key = `${target.name}\0${target.address}`
    const place = this.#places.get(key) ?? { current: undefined, reading: undefined, stale: false }
    this.#places.set(key, place)
    return place
  }
}

function read(reach: Reach, place: Place): Promise<Catalogue> {
  place.reading ??= fetchInto(reach, place).finally(() => (place.reading = undefined))
  return place.reading
}

async function fetchInto(reach: Reach, place: Place): Promise<Catalogue> {
  // What is marked stale from here on is read again.
  place.stale = false
  try {
    const rows = await readCatalogue(reach)
    // What is remembered of texts rests on the catalogue: one that is still the same stays the same object.
    const known = place.current?.content
    const content = known?.isOf(rows) === true ? known : new MysqlCatalog(rows.columns, rows.views, rows.functions)
    place.current = { content, readAtMs: Date.now() }
    return place.current
  } catch (error) {
    place.stale = true
    throw error
  }
}

type Rows = readonly (readonly (string | null)[])[]

interface CatalogueRows {
  readonly columns: Rows
  readonly views: Rows
  readonly functions: Rows
}

/** Throws Unreachable. */
export async function readCatalogue(reach: Reach): Promise<CatalogueRows> {
  const signal = AbortSignal.any([reach.signal, AbortSignal.timeout(readMs)])
  const { line } = await logIn(reach, capability.deprecateEof, new Map(), signal)
  line.stream.on('error', () => {})
  try {
    const columns = await line.query(mysqlCatalogQueries.columns, true, 'reading the catalogue')
    const views = await line.query(mysqlCatalogQueries.views, true, 'reading the catalogue')
    const functions = await line.query(mysqlCatalogQueries.functions, true, 'reading the catalogue')
    return { columns, views, functions }
  } finally {
    line.quit()
  }
}

function rowsIn(text: string): CatalogueRows {
  const value: unknown = JSON.parse(text)
  const { columns, views, functions } = { ...(typeof value === 'object' ? value : {}) } as Partial<Record<string, unknown>>
  if (isRows(columns) && isRows(views) && isRows(functions)) return { columns, views, functions }
  throw new Misconfigured(
    'bad-catalogue',
    'this is no catalogue of a MySQL server; print one with `sallyport targets schema TARGET`',
  )
}

function isRows(value: unknown): value is Rows {
  const isCell = (cell: unknown): boolean => cell === null || typeof cell === 'string'
  return Array.isArray(value) && value.every((row) => Array.isArray(row) && row.every(isCell))
}
