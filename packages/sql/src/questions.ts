// What the reader asks a parser worker, and what it answers.

import type { Mask } from '@sallyport/core'
import type { PostgresCatalog } from './postgres/catalog.js'
import type { Rewriting, SqlContext, Understanding } from './understanding.js'

export type Question =
  | { readonly kind: 'understand'; readonly text: string; readonly context: SqlContext }
  | {
      readonly kind: 'mask'
      readonly text: string
      readonly context: SqlContext
      readonly masks: readonly Mask[]
      readonly salt: string
    }

export type Answer =
  | { readonly kind: 'understanding'; readonly understanding: Understanding }
  | { readonly kind: 'rewriting'; readonly rewriting: Rewriting }

export type ToWorker =
  | { readonly kind: 'catalog'; readonly id: string; readonly catalog: PostgresCatalog }
  | { readonly kind: 'forget'; readonly id: string }
  | { readonly kind: 'question'; readonly question: Question }

/** `hurt`: this worker is not to be asked again. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'hurt'; readonly reason: string }
