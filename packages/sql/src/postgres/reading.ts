// Puts the parts of a reading together: one Walk for one text over one catalogue.

import type { SelectStmt } from 'libpg-query'
import type { CatalogIndex, Relation } from './catalog-index.js'
import { Effects } from './effects.js'
import { expression } from './expressions.js'
import { fromItem } from './from.js'
import { lineageOf, noLineage } from './lineage.js'
import type { Lineage } from './lineage.js'
import type { Masking } from './masking.js'
import { mention } from './objects.js'
import { parseNodes } from './parser.js'
import { query } from './queries.js'
import { dataStatement, statement } from './statements.js'
import { newFacts } from './walk.js'
import type { Names, Walk } from './walk.js'

/** A catalogue, and what was worked out from it so far; whose functions are trusted is part of that. */
export interface Library {
  readonly index: CatalogIndex
  readonly user: string
  lineage(relation: Relation, trustedFunctions: readonly string[]): Lineage
}

export function openLibrary(index: CatalogIndex, user: string): Library {
  const known = new Map<string, Map<Relation, Lineage>>()
  const library: Library = {
    index,
    user,
    lineage: (relation, trustedFunctions) => {
      const trust = JSON.stringify(trustedFunctions)
      let lineages = known.get(trust)
      if (lineages === undefined) known.set(trust, (lineages = new Map()))
      const before = lineages.get(relation)
      if (before !== undefined) return before
      lineages.set(relation, noLineage)
      const lineage = viewLineage(library, relation, trustedFunctions)
      lineages.set(relation, lineage)
      return lineage
    },
  }
  return library
}

function viewLineage(library: Library, view: Relation, trustedFunctions: readonly string[]): Lineage {
  const { index } = library
  const read = (select: SelectStmt): ReturnType<Parameters<typeof lineageOf>[0]['read']> => {
    // The server spells a name without its schema where the path it was asked under finds it.
    const w = newWalk(library, { schemas: index.schemas, trustedFunctions }, undefined)
    const outputs = w.query(select, undefined)
    return { effects: w.effects.list(), outputs, imprecise: w.facts.imprecise }
  }
  return lineageOf({ index, parse: parseNodes, read, lineage: (one) => library.lineage(one, trustedFunctions) }, view)
}

export function newWalk(library: Library, names: Names, masking: Masking | undefined): Walk {
  const w: Walk = {
    index: library.index,
    user: library.user,
    names,
    masking,
    facts: newFacts(),
    effects: new Effects(),
    lineage: (relation) => library.lineage(relation, names.trustedFunctions),
    expression: (node, scope) => expression(w, node, scope),
    query: (select, outer) => query(w, select, outer),
    dataStatement: (node, outer) => dataStatement(w, node, outer),
    fromItem: (node, scope) => fromItem(w, node, scope),
    statement: (node) => statement(w, node),
    mention: (relation) => mention(w, relation),
  }
  return w
}
