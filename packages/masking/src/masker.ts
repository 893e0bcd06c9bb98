// The masks of one ruling, made ready: which of them a field meets, and what becomes of a text.

import { Remembered, detectorNames, matchesName, strictness } from '@sallyport/core'
import type { DetectorName, Mask, Salts, Transform } from '@sallyport/core'
import { replaceFound, spansFound } from './detectors.js'
import { transformed } from './transform.js'

/** Field names come from the answer; so many different ones are remembered. */
const rememberedPaths = 4_096

export class Masker {
  readonly #fields: readonly { readonly pattern: string; readonly with: Transform }[]
  readonly #detectors: readonly { readonly name: DetectorName; readonly with: Transform }[]
  readonly #salts: Salts
  readonly #decided = new Remembered<string, { readonly with: Transform | undefined }>({
    entries: rememberedPaths,
    weight: 4_194_304,
  })

  constructor(masks: readonly Mask[], salts: Salts) {
    const byStrictness = masks.toSorted((one, two) => strictness.indexOf(one.with) - strictness.indexOf(two.with))
    const known = detectorNames.map((name) => [`@${name}`, name] as const)
    const detector = new Map<string, DetectorName>(known)
    this.#fields = byStrictness.flatMap((mask) => (detector.has(mask.column) ? [] : [{ pattern: mask.column, with: mask.with }]))
    this.#detectors = byStrictness.flatMap((mask) => {
      const name = detector.get(mask.column)
      return name === undefined ? [] : [{ name, with: mask.with }]
    })
    this.#salts = salts
  }

  /** Whether fields are masked, so that a text without fields cannot be. */
  get byField(): boolean {
    return this.#fields.length > 0
  }

  /** What the field's value must become; `path` is `$.data.email`, array indexes left out. */
  forField(path: string): Transform | undefined {
    const known = this.#decided.get(path)
    if (known !== undefined) return known.with
    const bare = path.slice(2)
    const met = this.#fields.find(({ pattern }) => matchesName(pattern, bare) || matchesName(pattern, path))
    this.#decided.set(path, { with: met?.with }, path.length + 64)
    return met?.with
  }

  /** A whole value. */
  value(text: string, transform: Transform): string | null {
    return transformed(text, transform, this.#salts)
  }

  /** Where in the text such values stand, as they were written. */
  spans(text: string): readonly (readonly [start: number, end: number])[] {
    return this.#detectors.flatMap(({ name }) => spansFound(text, name))
  }

  /** Values found inside a text. A `null` cannot stand inside one, so it is redacted. */
  text(text: string): string {
    return this.#detectors.reduce(
      (kept, detector) =>
        replaceFound(
          kept,
          detector.name,
          (found) => transformed(found, detector.with === 'null' ? 'redact' : detector.with, this.#salts) ?? '',
        ),
      text,
    )
  }
}
