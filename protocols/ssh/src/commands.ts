// What a command would do: by the shell's reader, and by the SQL reader for the SQL inside it.

import { createCommandReader } from '@sallyport/shell'
import type { Effect } from '@sallyport/core'
import type { CommandUnderstanding, SqlText } from '@sallyport/shell'
import { MysqlCatalog, openMysqlReader } from '@sallyport/sql'
import type { MysqlContext, SqlReader } from '@sallyport/sql'

export interface UnderstoodCommand {
  readonly effects: readonly Effect[]
  readonly transfer: CommandUnderstanding['transfer']
}

/** No catalogue is known of a database that a command on some host reaches: schemas stay untold, functions unvouched. */
const context = { catalog: '', schemas: [], trustedFunctions: [] }
const mysqlContext: MysqlContext = {
  catalog: new MysqlCatalog([], [], []),
  database: '?',
  temporaries: new Set(),
  trustedFunctions: [],
}
/** What a server reads by its version or its settings (ANSI_QUOTES), and a client by its own: on which, nobody here knows. */
const readDifferently = /["\\#]|\/\*|--/
const unknownQuery: Effect = { access: 'unknown', verb: 'query', object: '' }

export class Commands {
  readonly #reader = createCommandReader()
  readonly #sql: SqlReader
  readonly #mysql = openMysqlReader()

  constructor(sql: SqlReader) {
    this.#sql = sql
  }

  /** `trusted`: programs that the target's operator vouches for. */
  async understand(text: string, trusted: readonly string[] = []): Promise<UnderstoodCommand> {
    const { effects, sql, transfer } = this.#reader.understand(text, trusted)
    if (sql.length === 0) return { effects, transfer }
    const inside = await Promise.all(sql.map((each) => this.#effectsOf(each)))
    return { effects: [...effects, ...inside.flat()], transfer }
  }

  async #effectsOf({ dialect, text }: SqlText): Promise<readonly Effect[]> {
    if (dialect === 'mysql') return this.#effectsOfMysql(text)
    const understanding = await this.#sql.understand(text, context)
    const whole = understanding.refusal === undefined && understanding.executes.length === 0 && understanding.fetches.length === 0
    return whole ? understanding.effects : [unknownQuery]
  }

  async #effectsOfMysql(text: string): Promise<readonly Effect[]> {
    if (readDifferently.test(text)) return [unknownQuery]
    const understanding = await this.#mysql.understand(Buffer.from(text, 'utf8').toString('latin1'), mysqlContext)
    const { refusal, executes, prepares } = understanding
    return refusal === undefined && executes.length === 0 && prepares.length === 0 ? understanding.effects : [unknownQuery]
  }
}
