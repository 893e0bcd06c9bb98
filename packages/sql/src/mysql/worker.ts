// The thread that reads long MySQL texts, so that nobody else waits for them.

import { serveQuestions } from '../parser-thread.js'
import { MysqlCatalog } from './catalog.js'
import type { MysqlCatalogRows } from './catalog.js'
import { maskMysql } from './masking.js'
import type { MysqlAnswer, MysqlQuestion, SentContext } from './questions.js'
import { understandMysql } from './understand.js'
import type { MysqlContext } from './understand.js'

const catalogs = new Map<string, MysqlCatalog>()

function contextOf({ catalog: id, database, temporaries, trustedFunctions }: SentContext): MysqlContext | undefined {
  const catalog = catalogs.get(id)
  return catalog === undefined ? undefined : { catalog, database, temporaries: new Set(temporaries), trustedFunctions }
}

function answer(question: MysqlQuestion): MysqlAnswer {
  const { text } = question
  const context = contextOf(question.context)
  // Without its catalogue no table would be masked and no function anybody's own.
  if (context === undefined) return { kind: 'no-catalog' }
  if (question.kind === 'understand') return { kind: 'understanding', understanding: understandMysql(text, context) }
  return { kind: 'rewriting', rewriting: maskMysql(text, context, question.masks, question.salt) }
}

serveQuestions<MysqlQuestion, MysqlAnswer, MysqlCatalogRows>({
  learn: (id, { columns, views, functions, version }) =>
    void catalogs.set(id, new MysqlCatalog(columns, views, functions, version)),
  forget: (id) => void catalogs.delete(id),
  answer,
})
