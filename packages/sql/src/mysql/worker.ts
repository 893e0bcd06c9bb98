// The thread that reads long MySQL texts, so that nobody else waits for them.

import { serveQuestions } from '../parser-thread.js'
import { MysqlCatalog } from './catalog.js'
import type { MysqlCatalogRows } from './catalog.js'
import { maskMysql } from './masking.js'
import type { MysqlAnswer, MysqlQuestion, SentContext } from './questions.js'
import { understandMysql } from './understand.js'
import type { MysqlContext } from './understand.js'

const catalogs = new Map<string, MysqlCatalog>()
const unknownCatalog = new MysqlCatalog([], [], [])

function contextOf({ catalog, database, temporaries, trustedFunctions }: SentContext): MysqlContext {
  return { catalog: catalogs.get(catalog) ?? unknownCatalog, database, temporaries: new Set(temporaries), trustedFunctions }
}

function answer(question: MysqlQuestion): MysqlAnswer {
  const { text } = question
  const context = contextOf(question.context)
  if (question.kind === 'understand') return { kind: 'understanding', understanding: understandMysql(text, context) }
  return { kind: 'rewriting', rewriting: maskMysql(text, context, question.masks, question.salt) }
}

serveQuestions<MysqlQuestion, MysqlAnswer, MysqlCatalogRows>({
  learn: (id, { columns, views, functions }) => void catalogs.set(id, new MysqlCatalog(columns, views, functions)),
  forget: (id) => void catalogs.delete(id),
  answer,
})
