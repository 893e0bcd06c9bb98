// What is known of the names at targets, kept while it may be relied on: it is read again when a statement changed the schema, when a name is
// unknown, and after a while in any case.

import type { Reach, Settled, Target } from '@sallyport/core'

/** A schema changed from outside the gateway is noticed after this at the latest. */
const staleMs = 30_000
/** From this age on it is read again while statements go on with what is known, so that none of them waits for the reading. */
const aheadMs = 20_000
/** An unknown name asks again, but not more often than this; nor is a reading ahead that failed tried again sooner. */
const unknownNameMs = 1_000

/** `any`: whatever is known. `unknown-name`: a name was not in it, so it may be new. */
export type Freshness = 'any' | 'fresh' | 'unknown-name'

export interface CatalogueSource<Read, Catalogue> {
  /** Targets whose names are the same. */
  readonly placeOf: (target: Target) => string
  /** Asks the target. Throws Unreachable. */
  readonly read: (reach: Reach) => Promise<Read>
  /** `before`: what was known until now, and is not asked about any more unless it is given back. */
  readonly made: (read: Read, before: Catalogue | undefined) => Catalogue
}

interface Reading<Catalogue> {
  readonly done: Promise<Catalogue>
  /** Of the session that asks; when it ends, so does the reading. */
  readonly signal: AbortSignal
}

interface Place<Catalogue> {
  current: { readonly catalogue: Catalogue; readonly readAtMs: number } | undefined
  reading: Reading<Catalogue> | undefined
  /** When the newest reading began. */
  beganAtMs: number
  /** The schema changed after the newest reading began. */
  stale: boolean
}

export class KeptCatalogues<Read, Catalogue> {
  readonly #source: CatalogueSource<Read, Catalogue>
  readonly #places = new Map<string, Place<Catalogue>>()
  readonly #placeOf = new WeakMap<Target, Place<Catalogue>>()

  constructor(source: CatalogueSource<Read, Catalogue>) {
    this.#source = source
  }

  /** At once where what is known is fresh enough. Throws Unreachable where it cannot be read: then nothing can be understood. */
  of(reach: Reach, freshness: Freshness): Settled<Catalogue> {
    const place = this.#place(reach.target)
    const { current } = place
    if (current === undefined) return this.#newest(reach, place)
    if (freshness === 'any') return current.catalogue
    const ageMs = performance.now() - current.readAtMs
    if (ageMs >= (freshness === 'unknown-name' ? unknownNameMs : staleMs)) return this.#newest(reach, place)
    if (ageMs >= aheadMs) this.#readAhead(reach, place)
    return current.catalogue
  }

  /** Where it fails, whoever must wait for a reading hears of it. */
  #readAhead(reach: Reach, place: Place<Catalogue>): void {
    if (place.reading === undefined && performance.now() - place.beganAtMs >= unknownNameMs)
      this.#read(reach, place).catch(() => undefined)
  }

  /** A statement changed the schema: what is known is too old for everyone, until what is read from now on is there. */
  markStale({ target }: Reach): void {
    const place = this.#place(target)
    place.stale = true
    if (place.current !== undefined) place.current = { ...place.current, readAtMs: Number.NEGATIVE_INFINITY }
  }

  #place(target: Target): Place<Catalogue> {
    const known = this.#placeOf.get(target)
    if (known !== undefined) return known
    const key = this.#source.placeOf(target)
    const place = this.#places.get(key) ?? {
      current: undefined,
      reading: undefined,
      beganAtMs: Number.NEGATIVE_INFINITY,
      stale: false,
    }
    this.#places.set(key, place)
    this.#placeOf.set(target, place)
    return place
  }

  /** One reading for all who wait, unless the schema has changed since it began. */
  async #newest(reach: Reach, place: Place<Catalogue>): Promise<Catalogue> {
    const { reading } = place
    if (reading === undefined || place.stale) return this.#read(reach, place)
    try {
      return await reading.done
    } catch (error) {
      // It ended with the session that asked, which says nothing of the target.
      if (reading.signal.aborted && !reach.signal.aborted) return this.#newest(reach, place)
      throw error
    }
  }

  #read(reach: Reach, place: Place<Catalogue>): Promise<Catalogue> {
    place.stale = false
    place.beganAtMs = performance.now()
    const done: Promise<Catalogue> = this.#source.read(reach).then(
      (read) => {
        // A newer reading has begun, because the schema changed during this one.
        if (place.reading?.done !== done) return this.of(reach, 'fresh')
        const catalogue = this.#source.made(read, place.current?.catalogue)
        place.current = { catalogue, readAtMs: performance.now() }
        place.reading = undefined
        return catalogue
      },
      (error: unknown) => {
        if (place.reading?.done === done) place.reading = undefined
        throw error
      },
    )
    place.reading = { done, signal: reach.signal }
    return done
  }
}
