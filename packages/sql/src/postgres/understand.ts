// From a text to its understanding.

import type { Understanding } from '../understanding.js'
import { Effects } from './effects.js'
import { notUnderstood } from './not-understood.js'
import { parseText } from './parser.js'
import type { ParsedStatement } from './parser.js'
import { newWalk } from './reading.js'
import type { Library } from './reading.js'
import { coverLiterals } from './secrets.js'
import { tagged } from './tree.js'
import type { Names, Walk } from './walk.js'

/** What pg_dump (15.8 on) sends first; the setting's name is there as a column's value, so that older servers do not mind. */
const knownStatement =
  /^\s*SELECT set_config\(name, 'view, foreign-table', false\) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'\s*$/

export function understandText(library: Library, text: string, names: Names): Understanding {
  const statements = parseText(text)
  if (statements === undefined) return notUnderstood(text)
  const w = newWalk(library, names, undefined)
  const effects = new Effects()
  const shown = readEach(w, text, statements, effects)
  const { facts } = w
  return {
    effects: effects.list(),
    text: shown,
    understood: true,
    empty: statements.length === 0,
    ...(facts.refusal === undefined ? {} : { refusal: facts.refusal }),
    prepares: facts.prepares,
    onlyPrepares: statements.length > 0 && statements.every((statement) => tagged(statement.node)?.kind === 'PrepareStmt'),
    executes: facts.executes,
    declares: facts.declares,
    fetches: facts.fetches,
    deallocates: facts.deallocates,
    addsSchemas: [...new Set(facts.addsSchemas)],
    changesCatalog: facts.changesCatalog,
    copiesIn: facts.copiesIn,
  }
}

/** Reads each statement; a table made by one and used by the next is not in the catalogue, and named `?`. Answers the text with secrets covered. */
function readEach(w: Walk, text: string, statements: readonly ParsedStatement[], effects: Effects): string {
  const bytes = Buffer.from(text)
  const parts: string[] = []
  let from = 0
  for (const { node, start, end } of statements) {
    const original = bytes.subarray(start, end).toString()
    w.effects = new Effects()
    w.facts.holdsSecret = false
    w.facts.statementText = original
    const prepared = w.facts.prepares.length
    if (knownStatement.test(original)) w.effects.add('read', 'select', 'pg_catalog.pg_settings', { columns: [] })
    else w.statement(node)
    effects.addAll(w.effects.list())
    if (!w.facts.holdsSecret) continue
    const shown = coverLiterals(original)
    parts.push(bytes.subarray(from, start).toString(), shown)
    from = Math.min(end, bytes.length)
    for (const [at, one] of w.facts.prepares.entries()) if (at >= prepared) w.facts.prepares[at] = { ...one, text: shown }
  }
  return parts.length === 0 ? text : parts.join('') + bytes.subarray(from).toString()
}
