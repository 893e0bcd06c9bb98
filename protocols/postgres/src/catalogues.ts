// The targets' catalogues: what tables, views and functions there are, as one query on a side connection tells. Kept per target and
// database; read again when a statement changed the schema, when a name is unknown, and after a while in any case.

import { randomUUID } from 'node:crypto'
import { Unreachable } from '@sallyport/core'
import type { Reach, Target } from '@sallyport/core'
import { ByteReader } from '@sallyport/wire'
import { parsePostgresCatalog, postgresCatalogQuery } from '@sallyport/sql'
import type { PostgresCatalog, SqlReader } from '@sallyport/sql'
import { fromClient, fromUpstream, message, readDataRow, readFields } from './messages.js'
import { logIn } from './upstream.js'

/** A schema changed from outside the gateway is noticed after this at the latest. */
const staleMs = 30_000
/** An unknown name asks again, but not more often than this. */
const unknownNameMs = 1_000
const readMs = 30_000
/** 100,000 tables of 20 columns are about 200 MB of JSON; beyond that understanding needs another design. */
const maxAnswerBytes = 256 * 1024 * 1024

export interface Catalogue {
  /** The id that understandings are made under. */
  readonly id: string
  readonly content: PostgresCatalog
  readonly readAtMs: number
}

interface Place {
  current: Catalogue | undefined
  reading: Promise<Catalogue> | undefined
  stale: boolean
}

export type Freshness = 'any' | 'fresh' | 'unknown-name'

export class Catalogues {
  readonly #sql: SqlReader
  readonly #places = new Map<string, Place>()
  readonly #placeOf = new WeakMap<Target, Place>()
  readonly #given = new Map<string, Catalogue>()

  constructor(sql: SqlReader) {
    this.#sql = sql
  }

  /** At once where what is known is fresh enough. Throws Unreachable where the catalogue cannot be read: then nothing can be understood. */
  of(reach: Reach, freshness: Freshness): Catalogue | Promise<Catalogue> {
    const place = this.#place(reach)
    const { current } = place
    if (current === undefined) return this.#read(reach, place)
    const ageMs = Date.now() - current.readAtMs
    const enough = freshness === 'unknown-name' ? ageMs < unknownNameMs : !place.stale && ageMs < staleMs
    if (freshness === 'any' || enough) return current
    return this.#read(reach, place)
  }

  /** What a target said earlier, as `readCatalogue` answered it. */
  given(text: string): Catalogue {
    const known = this.#given.get(text)
    if (known !== undefined) return known
    const made = { id: randomUUID(), content: parsePostgresCatalog(text), readAtMs: Date.now() }
    this.#sql.registerCatalog(made.id, made.content)
    this.#given.set(text, made)
    return made
  }

  /** A statement changed the schema. */
  markStale(reach: Reach): void {
    this.#place(reach).stale = true
  }

  #place(reach: Reach): Place {
    const { target } = reach
    const known = this.#placeOf.get(target)
    if (known !== undefined) return known
    const key = `${target.name}\0${target.address}\0${target.database ?? ''}`
    const place = this.#places.get(key) ?? { current: undefined, reading: undefined, stale: false }
    this.#places.set(key, place)
    this.#placeOf.set(target, place)
    return place
  }

  #read(reach: Reach, place: Place): Promise<Catalogue> {
    // A reading that began before the schema changed would bring the old one: whoever marks stale meanwhile asks again after it.
    place.reading ??= this.#fetch(reach, place).finally(() => (place.reading = undefined))
    return place.reading
  }

  async #fetch(reach: Reach, place: Place): Promise<Catalogue> {
    place.stale = false
    try {
      const content = parsePostgresCatalog(await readCatalogue(reach))
      const next = { id: randomUUID(), content, readAtMs: Date.now() }
      this.#sql.registerCatalog(next.id, content)
      if (place.current !== undefined) this.#sql.forgetCatalog(place.current.id)
      place.current = next
      return next
    } catch (error) {
      place.stale = true
      throw error
    }
  }
}

/** Throws Unreachable. */
export async function readCatalogue(reach: Reach): Promise<string> {
  const upstream = await reach.dial()
  const signal = AbortSignal.any([reach.signal, AbortSignal.timeout(readMs)])
  const { stream, early } = await logIn(
    reach.target,
    upstream,
    new Map([
      ['client_encoding', 'UTF8'],
      ['application_name', 'sallyport'],
    ]),
    signal,
  )
  try {
    if (early.length > 0) stream.unshift(early)
    stream.write(message(fromClient.query, postgresCatalogQuery))
    return await readCell(new ByteReader(stream, 'upstream', signal), reach.target.name)
  } finally {
    stream.end(message(fromClient.terminate))
    stream.on('error', () => {}).resume()
  }
}

async function readCell(reader: ByteReader, target: string): Promise<string> {
  let cell: string | undefined
  for (;;) {
    const head = await reader.read(5)
    const size = head.readUInt32BE(1)
    if (size < 4 || size > maxAnswerBytes)
      throw new Unreachable('catalogue-unreadable', `the catalogue of target ${target} is too large to read`)
    const bytes = Buffer.concat([head, await reader.read(size - 4)])
    if (head[0] === fromUpstream.dataRow) cell = readDataRow(bytes)[0]?.toString('utf8')
    if (head[0] === fromUpstream.error) {
      throw new Unreachable(
        'catalogue-unreadable',
        `the catalogue of target ${target} cannot be read (SQLSTATE ${readFields(bytes)['C'] ?? 'unknown'})`,
      )
    }
    if (head[0] === fromUpstream.readyForQuery) {
      if (cell === undefined) throw new Unreachable('catalogue-unreadable', `the catalogue of target ${target} is empty`)
      return cell
    }
  }
}
