// The thread that parses. One question at a time; after anything unforeseen it says so once and is thrown away by the pool.

import { parentPort } from 'node:worker_threads'
import { indexCatalog } from './postgres/catalog-index.js'
import { emptyCatalog } from './postgres/catalog.js'
import { loadParser } from './postgres/parser.js'
import { openLibrary } from './postgres/reading.js'
import type { Library } from './postgres/reading.js'
import { maskText } from './postgres/rewrite.js'
import { understandText } from './postgres/understand.js'
import type { Answer, FromWorker, Question, ToWorker } from './questions.js'

const libraries = new Map<string, Library>()
const unknownLibrary = openLibrary(indexCatalog(emptyCatalog), '')

function answer(question: Question): Answer {
  const { text, context } = question
  const library = libraries.get(context.catalog) ?? unknownLibrary
  if (question.kind === 'understand') return { kind: 'understanding', understanding: understandText(library, text, context) }
  return { kind: 'rewriting', rewriting: maskText(library, text, context, question.masks, question.salt) }
}

function tell(message: FromWorker): void {
  // A thread's port has no origin; the rule is about windows.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort?.postMessage(message)
}

function receive(message: ToWorker): void {
  switch (message.kind) {
    case 'catalog':
      libraries.set(message.id, openLibrary(indexCatalog(message.catalog), message.catalog.user))
      return
    case 'forget':
      libraries.delete(message.id)
      return
    case 'question':
      try {
        tell({ kind: 'answer', answer: answer(message.question) })
      } catch (error) {
        const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
        tell({ kind: 'hurt', reason: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) })
      }
  }
}

await loadParser()
parentPort?.on('message', receive)
tell({ kind: 'ready' })
