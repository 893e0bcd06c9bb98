// What is known of one text, and what masking makes of it. The same for every dialect.

import type { Effect } from '@sallyport/core'

/** Where no catalogue could be read at all, and texts are read for what they name. */
export const noCatalog = ''

export interface SqlContext {
  /** The id a catalogue was registered under, or `noCatalog`. */
  readonly catalog: string
  /** Every schema that may be in the session's search_path, most likely first. */
  readonly schemas: readonly string[]
  /** `schema.function`, with `*`: vouched for by the operator. */
  readonly trustedFunctions: readonly string[]
}

export interface Understanding {
  /** Empty: touches nothing (BEGIN, SHOW, a harmless SET). */
  readonly effects: readonly Effect[]
  /** The text with credentials in it covered. */
  readonly text: string
  /** false: the effects are one `unknown`. */
  readonly understood: boolean
  readonly empty: boolean
  /** Must be denied whatever the rules say: after it, texts would mean something else to the server than they do here. */
  readonly refusal?: string
  readonly prepares: readonly { readonly name: string; readonly effects: readonly Effect[]; readonly text: string }[]
  readonly onlyPrepares: boolean
  /** Names run by EXECUTE and not prepared earlier in this text; what they do is not in `effects`. */
  readonly executes: readonly string[]
  readonly declares: readonly { readonly name: string; readonly effects: readonly Effect[] }[]
  /** Cursors read or moved and not declared earlier in this text. */
  readonly fetches: readonly string[]
  /** `*`: all of them. */
  readonly deallocates: readonly string[]
  /** Schemas that a change of the search_path may have added. */
  readonly addsSchemas: readonly string[]
  readonly changesCatalog: boolean
  readonly copiesIn: boolean
}

export type Rewriting =
  | {
      readonly kind: 'rewritten'
      readonly text: string
      /** `tableOid.attnum` that may not show as a result column's origin. */
      readonly forbiddenOrigins: readonly string[]
    }
  | { readonly kind: 'unchanged'; readonly forbiddenOrigins: readonly string[] }
  | { readonly kind: 'untraceable'; readonly reason: string }
