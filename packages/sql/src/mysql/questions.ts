// What the MySQL reader asks its thread: the context travels by the catalogue's id.

import type { AnswerOf, QuestionIn } from '../questions.js'
import type { MysqlUnderstanding } from './understand.js'

export interface SentContext {
  readonly catalog: string
  readonly database: string
  readonly temporaries: readonly string[]
  readonly trustedFunctions: readonly string[]
}

export type MysqlQuestion = QuestionIn<SentContext>
export type MysqlAnswer = AnswerOf<MysqlUnderstanding>
