// What SQL itself prepared and declared in this session (PREPARE, DECLARE), by name. A name may come to mean more than one thing when
// statements fail or are rolled back, so every meaning is kept until the name is certainly gone: an EXECUTE counts as all of them.

import type { Mask } from '@sallyport/core'
import { masksKeyOf } from '@sallyport/sql'
import type { Understanding } from '@sallyport/sql'
import type { Meaning } from './meaning.js'

/** Names a session may make by SQL. */
const maxNames = 10_000
const maxMeanings = 100

export class MadeNames {
  readonly #prepared = new Map<string, Meaning[]>()
  readonly #cursors = new Map<string, Meaning[]>()

  get full(): boolean {
    return this.#prepared.size + this.#cursors.size >= maxNames
  }

  prepared(name: string): readonly Meaning[] {
    return this.#prepared.get(name) ?? []
  }

  cursor(name: string): readonly Meaning[] {
    return this.#cursors.get(name) ?? []
  }

  /** The statement was let through: from now on its names may exist. */
  learn(understanding: Understanding, masks: readonly Mask[]): void {
    for (const { name, effects, text } of understanding.prepares) {
      add(this.#prepared, name, { effects, text, masksKey: masksKeyOf(masks, effects) })
    }
    for (const { name, effects } of understanding.declares) {
      add(this.#cursors, name, { effects, text: understanding.text, masksKey: masksKeyOf(masks, effects) })
    }
  }

  /** The statement failed before it could make anything, so what it alone would have meant is gone. */
  unlearn(understanding: Understanding): void {
    for (const { name } of understanding.prepares) drop(this.#prepared, name)
    for (const { name } of understanding.declares) drop(this.#cursors, name)
  }

  deallocated(names: readonly string[]): void {
    for (const name of names) {
      if (name === '*') this.#prepared.clear()
      else this.#prepared.delete(name)
    }
  }
}

function add(names: Map<string, Meaning[]>, name: string, meaning: Meaning): void {
  const known = names.get(name) ?? []
  const same = known.some(
    (each) => each.text === meaning.text && each.masksKey === meaning.masksKey && each.effects === meaning.effects,
  )
  if (!same && known.length < maxMeanings) names.set(name, [...known, meaning])
}

function drop(names: Map<string, Meaning[]>, name: string): void {
  const known = names.get(name)?.slice(0, -1) ?? []
  if (known.length === 0) names.delete(name)
  else names.set(name, known)
}
