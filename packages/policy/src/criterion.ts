// One criterion of `what`, ready to be held against an effect.

import type { Effect, StatementKind } from '@sallyport/core'
import type { What } from './schema.js'
import type { Certainty } from './unsure.js'

export interface EffectCriterion {
  readonly key: keyof What
  /** The criterion in words: `verbs [update, delete]`. */
  readonly says: string
  holds(effect: Effect, kind: StatementKind): Certainty
}
