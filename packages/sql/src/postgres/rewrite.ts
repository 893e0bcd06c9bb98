// From a text and masks to a text in which every reference to a masked table is one to what the caller may see of it.

import type { Mask } from '@sallyport/core'
import type { Node } from 'libpg-query'
import { deparseSync } from 'pgsql-deparser'
import type { Rewriting } from '../understanding.js'
import type { Relation } from './catalog-index.js'
import type { Lineage } from './lineage.js'
import { Masking } from './masking.js'
import { parseNodes, parseText, ParserHurt } from './parser.js'
import type { ParsedStatement } from './parser.js'
import { newWalk } from './reading.js'
import type { Library } from './reading.js'
import { shape } from './tree.js'
import { Untraceable } from './walk.js'
import type { Names } from './walk.js'

interface Rewritten {
  readonly node: Node
  /** Absent: nothing had to change. */
  readonly text: string | undefined
  readonly origins: readonly string[]
}

export function maskText(library: Library, text: string, names: Names, masks: readonly Mask[], salt: string): Rewriting {
  const statements = parseText(text)
  if (statements === undefined) return { kind: 'untraceable', reason: 'the text does not parse' }
  try {
    const rewritten = statements.map((statement) => maskStatement(library, statement, names, masks, salt))
    const forbiddenOrigins = [...new Set(rewritten.flatMap((one) => one.origins))]
    if (rewritten.every((one) => one.text === undefined)) return { kind: 'unchanged', forbiddenOrigins }
    const bytes = Buffer.from(text)
    const parts = rewritten.map((one, at) => one.text ?? bytes.subarray(statements[at]?.start, statements[at]?.end).toString())
    // A line end before each semicolon ends a comment that an untouched statement may end in.
    const joined = parts.join('\n;\n')
    prove(joined, rewritten)
    return { kind: 'rewritten', text: joined, forbiddenOrigins }
  } catch (error) {
    if (error instanceof Untraceable) return { kind: 'untraceable', reason: error.message }
    throw error
  }
}

function maskStatement(library: Library, { node }: ParsedStatement, names: Names, masks: readonly Mask[], salt: string): Rewritten {
  const lineage = (relation: Relation): Lineage => library.lineage(relation, names.trustedFunctions)
  const masking = new Masking({ index: library.index, masks, salt, parse: parseNodes, lineage })
  const w = newWalk(library, names, masking)
  w.statement(node)
  const [unknown] = w.effects.list().filter((effect) => effect.access === 'unknown')
  if (unknown !== undefined)
    throw new Untraceable(`what ${unknown.object === '' ? unknown.verb : unknown.object} reads is not known`)
  if (w.facts.dataWrites > 0 && masking.hasRead) throw new Untraceable('a masked column is read to write')
  if (w.facts.dataWrites > 1 && masking.hasReturned) throw new Untraceable('a masked column is returned to a statement that writes')
  return { node, text: masking.replacements > 0 ? deparsed(node) : undefined, origins: masking.forbiddenOrigins }
}

function deparsed(node: Node): string {
  try {
    return deparseSync(node, { pretty: false })
  } catch (error) {
    if (error instanceof RangeError) throw new ParserHurt('the tree is too deep', { cause: error })
    throw new Untraceable('the masked statement cannot be spelled')
  }
}

/** What is sent must mean what was made: parsed again, it is the same tree. */
function prove(text: string, rewritten: readonly Rewritten[]): void {
  const again = parseText(text)
  const isSame = again?.length === rewritten.length && again.every((one, at) => shape(one.node) === shape(rewritten[at]?.node))
  if (!isSame) throw new Untraceable('the masked statement cannot be spelled')
}
