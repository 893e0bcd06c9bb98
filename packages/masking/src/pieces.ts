// A text that is told in pieces, masked as if it came whole: what could still become part of a value is held back until more is known.

import { maskedString } from './json-mask.js'
import type { Masker } from './masker.js'
import { Unmaskable } from './unmaskable.js'

/** Longer than any value with spaces in it that a detector knows: a card has 37 characters, an IBAN 43, a telephone number about 50. */
const spacedCharacters = 128
/** A token in three parts has 12,291 characters at most, an address 600. */
const unbrokenCharacters = 12_500
/** Values that overlap are held back together; the longest single one is a private key of about 16,500 characters. */
const maxHeldCharacters = 64 * 1024
/** JSON that is told in pieces is masked when all of it is there. */
const maxWholeCharacters = 1024 * 1024
/** What values without spaces are made of. */
const unbroken = /[A-Za-z0-9._%+@-]/

export class Pieces {
  readonly #masker: Masker
  readonly #json: boolean
  #held = ''
  /** Undefined: nothing but white space has come. */
  #whole: boolean | undefined

  /** `json`: the text is JSON, whatever it begins with. */
  constructor(masker: Masker, json: boolean) {
    this.#masker = masker
    this.#json = json
  }

  /** What can be told by now. */
  push(text: string): string {
    this.#held += text
    if (this.#whole === undefined && this.#held.trim() !== '') this.#whole = this.#json || /^\s*[[{"]/.test(this.#held)
    if (this.#whole === undefined) return ''
    if (this.#whole) {
      if (this.#held.length > maxWholeCharacters) throw new Unmaskable('JSON that is told in pieces is too long to be looked into')
      return ''
    }
    const cut = this.#cut()
    const told = this.#masker.text(this.#held.slice(0, cut))
    this.#held = this.#held.slice(cut)
    return told
  }

  /** What was held back. */
  end(): string {
    const rest = this.#held
    const whole = this.#whole === true
    this.#held = ''
    this.#whole = undefined
    if (!whole) return this.#masker.text(rest)
    const masked = maskedString(rest, this.#masker)
    if (masked !== undefined) return masked
    if (this.#json && this.#masker.byField) throw new Unmaskable('JSON that is told in pieces does not come to its end')
    return this.#masker.text(rest)
  }

  /** Up to where nothing that comes can change what was found, at the beginning of a run so that no value is cut. */
  #cut(): number {
    const held = this.#held
    let cut = runStart(held, held.length)
    // No value is longer than such a run, so that one that began before the cut is known by now.
    if (held.length - cut > unbrokenCharacters) cut = held.length - unbrokenCharacters
    else cut = runStart(held, Math.max(0, Math.min(cut, held.length - spacedCharacters)))
    const spans = this.#masker.spans(held)
    for (let moved = true; moved;) {
      moved = false
      for (const [start, end] of spans) {
        if (start >= cut || end <= cut) continue
        cut = start
        moved = true
      }
    }
    if (held.length - cut > maxHeldCharacters) throw new Unmaskable('values that overlap are too long to be held back')
    return cut
  }
}

function runStart(text: string, from: number): number {
  let at = from
  while (at > 0 && from - at <= unbrokenCharacters && unbroken.test(text[at - 1] as string)) at -= 1
  return at
}
