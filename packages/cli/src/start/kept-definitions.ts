// The definitions as revisions in the store: taken from the file at start, replaced by `apply` on any node, swapped in at once on all.

import type { ApplyResult } from '@sallyport/api'
import { changesBetween } from '../configuration/definitions.js'
import { checkedDefinitions } from '../configuration/load.js'
import { noOperators } from '../configuration/references.js'
import type { Surroundings } from '../configuration/references.js'
import type { WrittenDefinitions } from '../configuration/schema.js'
import { inForce, nothingInForce } from './in-force.js'
import type { InForce, InForceParts } from './in-force.js'
import type { Log } from './logging.js'

interface DefinitionsTable {
  read(): Promise<{ readonly revision: number; readonly text: string } | undefined>
  write(text: string, by: string): Promise<number>
}

export interface KeptParts {
  readonly table: DefinitionsTable
  readonly surroundings: Surroundings
  readonly inForce: InForceParts
  readonly log: Log
  /** Cuts the live sessions that lost their grant; answers how many. */
  readonly onChange: () => number
  /** Tells the other nodes. */
  readonly announce: (revision: number) => Promise<void>
}

const NOTHING: WrittenDefinitions = { identities: [], targets: [], grants: [], rules: [] }

export class KeptDefinitions {
  readonly #parts: KeptParts
  #current: InForce
  /** One change at a time: each is compared with the one before it. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: KeptParts) {
    this.#parts = parts
    this.#current = nothingInForce(parts.inForce)
  }

  /** The same object until the definitions change. */
  get current(): InForce {
    return this.#current
  }

  /** At start: what the file defines, or where it defines nothing, what was last in force. */
  async open(fromFile: WrittenDefinitions): Promise<void> {
    const stored = await this.#parts.table.read()
    if (stored !== undefined) this.#swap(stored.revision, this.#understood(stored.text))
    const definesSomething = Object.values(fromFile).some((list) => list.length > 0)
    if (definesSomething) await this.apply(fromFile, { dryRun: false, by: 'start' })
  }

  /** Throws Misconfigured, one problem a line. */
  apply(value: unknown, options: { readonly dryRun: boolean; readonly by: string }): Promise<ApplyResult> {
    return this.#inTurn(() => this.#apply(value, options))
  }

  /** Another node has changed them, or may have. A text this node cannot understand puts nothing in force: it may have taken rights away. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const stored = await this.#parts.table.read()
      if (stored === undefined || stored.revision === this.#current.revision) return
      this.#swap(stored.revision, this.#understood(stored.text))
      this.#parts.log('info', 'definitions of another node are in force', { revision: stored.revision })
    })
  }

  async #apply(value: unknown, { dryRun, by }: { readonly dryRun: boolean; readonly by: string }): Promise<ApplyResult> {
    const { surroundings, table, announce, log } = this.#parts
    const written = checkedDefinitions(value, surroundings)
    // Compiled before it is kept: what is in the store can be put in force.
    const ready = inForce(this.#current.revision, written, this.#parts.inForce)
    const changes = changesBetween(this.#current.written, written)
    if (changes.length === 0 || dryRun) return { revision: this.#current.revision, applied: false, changes, ended: 0 }
    const revision = await table.write(JSON.stringify(written), by)
    this.#current = { ...ready, revision }
    const ended = this.#parts.onChange()
    await announce(revision).catch((error: unknown) =>
      log('warn', 'other nodes could not be told of the new definitions yet', { error }),
    )
    return { revision, applied: true, changes, ended }
  }

  #understood(text: string): WrittenDefinitions {
    try {
      return checkedDefinitions(JSON.parse(text), { ...this.#parts.surroundings, operators: noOperators })
    } catch (error) {
      this.#parts.log('error', 'the definitions in the database are not understood here; nothing is in force', { error })
      return NOTHING
    }
  }

  #swap(revision: number, written: WrittenDefinitions): void {
    this.#current = inForce(revision, written, this.#parts.inForce)
    this.#parts.onChange()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work, work)
    this.#last = done.catch(() => {})
    return done
  }
}
