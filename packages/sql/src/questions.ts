// What the reader asks a parser worker, and what it answers.

import type { Mask } from '@sallyport/core'
import type { Rewriting, SqlContext, Understanding } from './understanding.js'

export type QuestionIn<Context> =
  | { readonly kind: 'understand'; readonly text: string; readonly context: Context }
  | {
      readonly kind: 'mask'
      readonly text: string
      readonly context: Context
      readonly masks: readonly Mask[]
      readonly salt: string
    }

export type AnswerOf<Understood> =
  | { readonly kind: 'understanding'; readonly understanding: Understood }
  | { readonly kind: 'rewriting'; readonly rewriting: Rewriting }
  /** The thread does not know the catalogue the question is about: nothing true can be said, and nothing is to be remembered. */
  | { readonly kind: 'no-catalog' }

export type Question = QuestionIn<SqlContext>
export type Answer = AnswerOf<Understanding>

export type ToWorker<Asked, Catalog> =
  | { readonly kind: 'catalog'; readonly id: string; readonly catalog: Catalog }
  | { readonly kind: 'forget'; readonly id: string }
  | { readonly kind: 'question'; readonly question: Asked }

/** `hurt`: this worker is not to be asked again. */
export type FromWorker<Answered> =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly answer: Answered }
  | { readonly kind: 'hurt'; readonly reason: string }
