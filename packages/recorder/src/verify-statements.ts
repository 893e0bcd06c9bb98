// Compares statement rows with what the frames say, a few thousand at a time.

import { isDeepStrictEqual } from 'node:util'
import { differences, MOST_FINDINGS } from './findings.js'
import type { Findings } from './findings.js'
import { patched } from './rows.js'
import type { RowChanges } from './rows.js'
import type { FrameSource, StatementPatch, StatementRow } from './shipped.js'

/** Rows held back for what later blocks may say of them. */
const HELD_ROWS = 4_000

export class StatementCheck {
  readonly #session: string
  readonly #source: Pick<FrameSource, 'statements' | 'countStatements'>
  readonly #findings: Findings
  readonly #held = new Map<number, StatementRow>()
  /** Rows that differed when they were compared; a later frame may still say what stands there, so the last look counts. */
  readonly #suspects = new Map<number, StatementRow>()
  #expected = 0
  #missing = 0

  constructor(session: string, source: Pick<FrameSource, 'statements' | 'countStatements'>, findings: Findings) {
    this.#session = session
    this.#source = source
    this.#findings = findings
  }

  /** Takes what one block's frames say. */
  async take(changes: RowChanges): Promise<void> {
    for (const [number, row] of changes.statements) this.#held.set(number, row)
    this.#expected += changes.statements.size
    for (const [number, patch] of changes.patches) {
      const rows = [this.#held, this.#suspects].find((some) => some.has(number))
      const row = rows?.get(number)
      if (rows !== undefined && row !== undefined) rows.set(number, patched(row, patch))
      else await this.#takeLate(patch)
    }
    if (this.#held.size > HELD_ROWS) await this.#compare(this.#held, HELD_ROWS / 2, true)
  }

  /** Says something of a row that was equal when it was compared: then it must change nothing. */
  async #takeLate(patch: StatementPatch): Promise<void> {
    const [found] = await this.#source.statements(this.#session, patch.number, patch.number)
    if (found !== undefined) this.#differ(patched(found, patch), found)
  }

  #differ(expected: StatementRow, found: StatementRow): void {
    if (isDeepStrictEqual(expected, found)) return
    this.#findings.add(
      'altered',
      `statement ${expected.number}`,
      `the row differs from the frames in: ${differences(expected, found).join(', ')}`,
    )
  }

  /** Compares the oldest `count` rows of these. */
  async #compare(rows: Map<number, StatementRow>, count: number, mayChange: boolean): Promise<void> {
    const numbers = [...rows.keys()].sort((a, b) => a - b).slice(0, count)
    const found = new Map<number, StatementRow>()
    const [first, last] = [numbers[0], numbers.at(-1)]
    if (first === undefined || last === undefined) return
    for (const row of await this.#source.statements(this.#session, first, last)) found.set(row.number, row)
    for (const number of numbers) {
      const expected = rows.get(number)
      const row = found.get(number)
      rows.delete(number)
      if (expected === undefined) continue
      if (row === undefined) {
        this.#missing += 1
        this.#findings.add('removed', `statement ${number}`, 'its row is gone; the frames of it are there')
      } else if (mayChange && this.#suspects.size < MOST_FINDINGS && !isDeepStrictEqual(expected, row))
        this.#suspects.set(number, expected)
      else this.#differ(expected, row)
    }
  }

  async finish(): Promise<void> {
    while (this.#held.size > 0) await this.#compare(this.#held, HELD_ROWS / 2, false)
    for (const [number, row] of this.#suspects) await this.#compare(new Map([[number, row]]), 1, false)
    const surplus = (await this.#source.countStatements(this.#session)) - (this.#expected - this.#missing)
    if (surplus > 0) this.#findings.add('added', 'statements', `there are ${surplus} rows more than the frames speak of`)
  }
}
