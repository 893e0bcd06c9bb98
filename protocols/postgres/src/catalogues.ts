// The targets' catalogues: what tables, views and functions there are, as one query on a side connection tells. Kept per target and database.

import { createHash, randomUUID } from 'node:crypto'
import { Unreachable } from '@sallyport/core'
import type { Reach, Settled } from '@sallyport/core'
import { ByteReader } from '@sallyport/wire'
import { KeptCatalogues, parsePostgresCatalog, postgresCatalogQuery } from '@sallyport/sql'
import type { Freshness, PostgresCatalog, SqlReader } from '@sallyport/sql'
import { fromClient, fromUpstream, message, readDataRow, readFields } from './messages.js'
import { logIn } from './upstream.js'

const readMs = 30_000
/** The query looks past what is locked; this is for a lock that is taken just then. */
const lockWithin = '2s'
/** 100,000 tables of 20 columns are about 200 MB of JSON; beyond that understanding needs another design. */
const maxAnswerBytes = 256 * 1024 * 1024

export interface Catalogue {
  /** The id that understandings are made under. */
  readonly id: string
  readonly content: PostgresCatalog
  /** Of the text it was read from. */
  readonly digest: string
}

export class Catalogues {
  readonly #sql: SqlReader
  readonly #kept: KeptCatalogues<string, Catalogue>
  readonly #given = new Map<string, Catalogue>()

  constructor(sql: SqlReader) {
    this.#sql = sql
    this.#kept = new KeptCatalogues({
      placeOf: ({ name, address, database = '' }) => `${name}\0${address}\0${database}`,
      read: readCatalogue,
      made: (text, before) => {
        // Everything remembered of texts rests on the id: as long as nothing changed it stays.
        if (before?.digest === digestOf(text)) return before
        if (before !== undefined) sql.forgetCatalog(before.id)
        return this.#made(text)
      },
    })
  }

  /** At once where what is known is fresh enough. Throws Unreachable where the catalogue cannot be read: then nothing can be understood. */
  of(reach: Reach, freshness: Freshness): Settled<Catalogue> {
    return this.#kept.of(reach, freshness)
  }

  /** What a target said earlier, as `readCatalogue` answered it. */
  given(text: string): Catalogue {
    const made = this.#given.get(text) ?? this.#made(text)
    this.#given.set(text, made)
    return made
  }

  /** A statement changed the schema. */
  markStale(reach: Reach): void {
    this.#kept.markStale(reach)
  }

  #made(text: string): Catalogue {
    const made = { id: randomUUID(), content: parsePostgresCatalog(text), digest: digestOf(text) }
    this.#sql.registerCatalog(made.id, made.content)
    return made
  }
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64')

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
    stream.write(message(fromClient.query, `SET LOCAL lock_timeout = '${lockWithin}'; ${postgresCatalogQuery}`))
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
