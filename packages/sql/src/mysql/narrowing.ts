// How far a condition narrows what it is asked of: a run of operands between AND and OR is a term, and narrows where it looks at a column and compares
// it once with something else.

import { comparisonSigns, comparisonWords } from './words.js'

/** What an expression at one level says of how it narrows. */
export interface Narrowing {
  /** Every alternative of it looks at a column. */
  readonly bounded: boolean
  /** The same of its opposite, as NOT makes it. */
  readonly opposed: boolean
}

interface Term {
  looks: boolean
  /** `id = 5 = 0` compares what a comparison came to, and holds for every other row. */
  comparisons: number
  selfCompared: boolean
}

const newTerm = (): Term => ({ looks: false, comparisons: 0, selfCompared: false })
const narrows = (term: Term): boolean => term.looks && term.comparisons < 2 && !term.selfCompared

/** Operators that join terms, in place of working on an operand. */
export const joining: ReadonlySet<string> = new Set(['AND', 'OR', 'XOR', '&&', '||'])

/** The terms of one expression, as its operators and operands come. */
export class Terms {
  /** Alternatives, each a list of terms that must all hold. */
  readonly #alternatives: Term[][] = [[newTerm()]]
  #between = 0
  /** Whether the operand at hand is the right side of something that is neither AND nor OR. */
  #compared = false

  get compared(): boolean {
    return this.#compared
  }

  get narrowing(): Narrowing {
    return {
      bounded: this.#alternatives.every((terms) => terms.some(narrows)),
      opposed: this.#alternatives.some((terms) => terms.every(narrows)),
    }
  }

  /** A sign or word between two operands. */
  operator(value: string): void {
    this.#compared = !joining.has(value)
    if (comparisonSigns.has(value) || comparisonWords.has(value)) this.#term.comparisons += 1
    if (value === 'BETWEEN') this.#between += 1
    if (value === 'OR' || value === 'XOR' || value === '||') this.#alternatives.push([newTerm()])
    if (value === 'AND' && this.#between > 0) this.#between -= 1
    else if (value === 'AND' || value === '&&') this.#alternatives[this.#alternatives.length - 1]?.push(newTerm())
  }

  /** The operand at hand looks at a column. */
  looks(): void {
    this.#term.looks = true
  }

  /** Both sides of the operator before, as they are written: `x = x` is true of every row that has an x. */
  sides(left: string | undefined, right: string | undefined): void {
    if (this.#compared && isSame(left, right)) this.#term.selfCompared = true
  }

  get #term(): Term {
    const terms = this.#alternatives[this.#alternatives.length - 1] as Term[]
    return terms[terms.length - 1] as Term
  }
}

/** `id` and `orders.id` are one column, wherever both can be written. */
function isSame(left: string | undefined, right: string | undefined): boolean {
  if (left === undefined || right === undefined) return false
  return left === right || left.endsWith(` . ${right}`) || right.endsWith(` . ${left}`)
}
