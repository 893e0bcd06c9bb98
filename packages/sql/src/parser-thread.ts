// What a parser thread does besides parsing: one question at a time; after anything unforeseen it says so once and is thrown away by the pool.

import { parentPort } from 'node:worker_threads'
import type { FromWorker, ToWorker } from './questions.js'

export interface ParserThread<Question, Answer, Catalog> {
  learn(id: string, catalog: Catalog): void
  forget(id: string): void
  answer(question: Question): Answer
}

export function serveQuestions<Question, Answer, Catalog>(thread: ParserThread<Question, Answer, Catalog>): void {
  const tell = (message: FromWorker<Answer>): void => {
    // A thread's port has no origin; the rule is about windows.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    parentPort?.postMessage(message)
  }
  parentPort?.on('message', (message: ToWorker<Question, Catalog>) => {
    switch (message.kind) {
      case 'catalog':
        return thread.learn(message.id, message.catalog)
      case 'forget':
        return thread.forget(message.id)
      case 'question':
        try {
          return tell({ kind: 'answer', answer: thread.answer(message.question) })
        } catch (error) {
          const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
          return tell({ kind: 'hurt', reason: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) })
        }
    }
  })
  tell({ kind: 'ready' })
}
