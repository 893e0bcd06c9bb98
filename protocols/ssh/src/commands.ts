// What a command would do: by the shell's reader, and by the SQL reader for the SQL inside it.

import { createCommandReader } from '@sallyport/shell'
import type { Effect } from '@sallyport/core'
import type { CommandUnderstanding, SqlText } from '@sallyport/shell'
import type { SqlReader } from '@sallyport/sql'

export interface UnderstoodCommand {
  readonly effects: readonly Effect[]
  readonly transfer: CommandUnderstanding['transfer']
}

/** No catalogue is known of a database that a command on some host reaches: schemas stay untold, functions unvouched. */
const context = { catalog: '', schemas: [], trustedFunctions: [] }
const unknownQuery: Effect = { access: 'unknown', verb: 'query', object: '' }

export class Commands {
  readonly #reader = createCommandReader()
  readonly #sql: SqlReader

  constructor(sql: SqlReader) {
    this.#sql = sql
  }

  async understand(text: string): Promise<UnderstoodCommand> {
    const { effects, sql, transfer } = this.#reader.understand(text)
    if (sql.length === 0) return { effects, transfer }
    const inside = await Promise.all(sql.map((each) => this.#effectsOf(each)))
    return { effects: [...effects, ...inside.flat()], transfer }
  }

  async #effectsOf({ dialect, text }: SqlText): Promise<readonly Effect[]> {
    if (dialect !== 'postgres') return [unknownQuery]
    const understanding = await this.#sql.understand(text, context)
    const whole = understanding.refusal === undefined && understanding.executes.length === 0 && understanding.fetches.length === 0
    return whole ? understanding.effects : [unknownQuery]
  }
}
