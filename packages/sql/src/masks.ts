// What is true of masks in every dialect: which a statement reaches, and what their stand-ins may not be used for.

import { holdsStandIn, writesStandIn } from '@sallyport/core'
import type { Effect, Mask, Salts } from '@sallyport/core'

/** Two rulings with the same key mask these effects' columns in the same way. */
export function masksKeyOf(masks: readonly Mask[], effects: readonly Effect[]): string {
  if (masks.length === 0) return ''
  const columns = new Set(effects.flatMap((effect) => effect.columns ?? []))
  const reached = masks.filter((mask) => columns.has(mask.column)).map((mask) => `${mask.column}=${mask.with}`)
  return [...new Set(reached)].sort().join(',')
}

/** Tokens come first: a hash that differs by session is still a hash. '' where no mask needs one. */
export function saltFor(masks: readonly Mask[], salts: Salts): string {
  if (masks.some((mask) => mask.with === 'token')) return salts.token
  return masks.some((mask) => mask.with === 'hash') ? salts.hash : ''
}

export const onlyReads = (effect: Effect): boolean => effect.access === 'read'

/** Why a statement may not run that would write a stand-in for a masked value back as if it were the value. */
export function writtenBack(effects: readonly Effect[], text: string, parameters: readonly (string | null)[]): string | undefined {
  if (effects.every(onlyReads)) return undefined
  const held = holdsStandIn(text) || parameters.some((value) => value !== null && holdsStandIn(value))
  return held ? writesStandIn : undefined
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
