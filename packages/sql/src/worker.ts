// The thread that parses Postgres texts.

import { serveQuestions } from './parser-thread.js'
import { indexCatalog } from './postgres/catalog-index.js'
import { emptyCatalog } from './postgres/catalog.js'
import type { PostgresCatalog } from './postgres/catalog.js'
import { loadParser } from './postgres/parser.js'
import { openLibrary } from './postgres/reading.js'
import type { Library } from './postgres/reading.js'
import { maskText } from './postgres/rewrite.js'
import { understandText } from './postgres/understand.js'
import type { Answer, Question } from './questions.js'
import { noCatalog } from './understanding.js'

const libraries = new Map<string, Library>()
const libraryOfNone = openLibrary(indexCatalog(emptyCatalog), '')

function answer(question: Question): Answer {
  const { text, context } = question
  const library = context.catalog === noCatalog ? libraryOfNone : libraries.get(context.catalog)
  // One that was forgotten is not an empty one: what it knew to be a function or a table of somebody's is not nothing now.
  if (library === undefined) return { kind: 'no-catalog' }
  if (question.kind === 'understand') return { kind: 'understanding', understanding: understandText(library, text, context) }
  return { kind: 'rewriting', rewriting: maskText(library, text, context, question.masks, question.salt) }
}

await loadParser()
serveQuestions<Question, Answer, PostgresCatalog>({
  learn: (id, catalog) => void libraries.set(id, openLibrary(indexCatalog(catalog), catalog.user)),
  forget: (id) => void libraries.delete(id),
  answer,
})
