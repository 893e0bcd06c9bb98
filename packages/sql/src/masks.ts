// What is true of masks in every dialect: which is stricter, which a statement reaches, and what their stand-ins may not be used for.

import type { Effect, Mask, Transform } from '@sallyport/core'

/** Strictest last; where masks disagree the strictest wins. */
const strictness: readonly Transform[] = ['partial', 'hash', 'token', 'redact', 'null']

export function strictest(one: Transform | undefined, other: Transform): Transform {
  return one === undefined || strictness.indexOf(other) > strictness.indexOf(one) ? other : one
}

/** Two rulings with the same key mask these effects' columns in the same way. */
export function masksKeyOf(masks: readonly Mask[], effects: readonly Effect[]): string {
  if (masks.length === 0) return ''
  const columns = new Set(effects.flatMap((effect) => effect.columns ?? []))
  const reached = masks.filter((mask) => columns.has(mask.column)).map((mask) => `${mask.column}=${mask.with}`)
  return [...new Set(reached)].sort().join(',')
}

/** Makes hashes, the same over sessions, and tokens, which differ by session. */
export interface Salts {
  readonly hash: string
  readonly token: string
}

/** Tokens come first: a hash that differs by session is still a hash. '' where no mask needs one. */
export function saltFor(masks: readonly Mask[], salts: Salts): string {
  if (masks.some((mask) => mask.with === 'token')) return salts.token
  return masks.some((mask) => mask.with === 'hash') ? salts.hash : ''
}

/** Whether a text holds a token that a mask gave: it must not be written back as if it were the value. */
export function holdsToken(text: string): boolean {
  return /tok_[0-9a-f]{16}(?![0-9a-f])/.test(text)
}

export const onlyReads = (effect: Effect): boolean => effect.access === 'read'

/** Why a statement may not run that would write a stand-in for a masked value back as if it were the value. */
export function writtenBack(effects: readonly Effect[], text: string, parameters: readonly (string | null)[]): string | undefined {
  if (effects.every(onlyReads)) return undefined
  const held = holdsToken(text) || parameters.some((value) => value !== null && holdsToken(value))
  return held ? 'it would write a stand-in of a masked value (tok_...) back as if it were the value' : undefined
}

/** Masks as part of the key that a rewriting is remembered by. */
export class MaskKeys {
  readonly #keys = new WeakMap<readonly Mask[], string>()

  of(masks: readonly Mask[]): string {
    const known = this.#keys.get(masks)
    if (known !== undefined) return known
    const key = JSON.stringify(masks.map((mask) => [mask.column, mask.with]))
    this.#keys.set(masks, key)
    return key
  }
}
