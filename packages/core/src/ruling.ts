// What policy answers (a Verdict), and what a protocol must obey (a Ruling).

import type { Statement } from './statement.js'

export type Transform = 'null' | 'redact' | 'partial' | 'hash' | 'token'

/** What shows least of a value first. */
export const strictness: readonly Transform[] = ['null', 'redact', 'token', 'hash', 'partial']

/** Where masks disagree the strictest wins. */
export function strictest(one: Transform | undefined, other: Transform): Transform {
  return one === undefined || strictness.indexOf(other) < strictness.indexOf(one) ? other : one
}

/** Kinds of value that are found by what they look like, wherever they stand. */
export const detectorNames = ['email', 'card', 'iban', 'ssn', 'phone', 'secret'] as const
export type DetectorName = (typeof detectorNames)[number]

/** One column (`schema.table.column`, a pattern of JSON fields, or `@detector`) and what becomes of its values. */
export interface Mask {
  readonly column: string
  readonly with: Transform
  readonly rule: string
}

/** Why a statement was denied, where it was not a plain rule. */
export type DenialCause =
  'rule' | 'default' | 'not-understood' | 'not-maskable' | 'review-denied' | 'review-expired' | 'review-withdrawn' | 'session-ended'

/** `rule` is null where no rule matched. */
export type Ruling =
  | {
      readonly kind: 'allow'
      readonly rule: string | null
      /** Allowed up to this many rows; for the next row the protocol must ask again, with `rows` in its Asking. */
      readonly rowsUpTo?: number
    }
  | { readonly kind: 'mask'; readonly rule: string; readonly masks: readonly Mask[]; readonly rowsUpTo?: number }
  | {
      readonly kind: 'deny'
      readonly cause: DenialCause
      readonly rule: string | null
      readonly reason: string
      /** What the caller may do instead, or where the review is. */
      readonly hint?: string
    }

export type Allowed = Exclude<Ruling, { kind: 'deny' }>
export type Denial = Extract<Ruling, { kind: 'deny' }>

/** One question to people: so many distinct members of these groups, within this time. */
export interface ReviewAsk {
  readonly rule: string
  readonly reason: string
  readonly reviewers: { readonly groups: readonly string[]; readonly names: readonly string[]; readonly count: number }
  readonly withinMs: number
}

/** What policy answers. A review asks every one of `asks`, and if all agree, `then` is the ruling. */
export type Verdict = Ruling | { readonly kind: 'review'; readonly asks: readonly ReviewAsk[]; readonly then: Allowed }

/** What a verdict may depend on besides the statement itself. */
export interface JudgingFacts {
  /** Rows produced, the one now being asked for included; absent before the statement runs. */
  readonly rows?: number
  readonly nowMs: number
}

/** Policy for one identity at one target: pure, synchronous, total. */
export interface Judge {
  evaluate(statement: Statement, facts: JudgingFacts): Verdict
  /** Whether any mask rule could apply to this identity at this target. */
  readonly mayMask: boolean
  /** Whether any rule at all, or `default: deny`, could apply; where not, understanding a statement changes nothing. */
  readonly mayRule: boolean
}
