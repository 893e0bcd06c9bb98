// Masks met with a catalogue: which columns of which relations are masked, and what stands in the place of a reference to one.

import { matchesName, strictest } from '@sallyport/core'
import type { Mask, Transform } from '@sallyport/core'
import type { Node, RangeVar, SelectStmt } from 'libpg-query'
import { isSystem } from './builtins.js'
import type { CatalogIndex, Relation } from './catalog-index.js'
import type { Lineage } from './lineage.js'
import type { Source } from './scope.js'
import { maskedSql, quoted } from './transforms.js'
import { tagged, wrap } from './tree.js'
import { Untraceable } from './walk.js'

type Parse = (text: string) => readonly Node[]

interface MaskingParts {
  readonly index: CatalogIndex
  readonly masks: readonly Mask[]
  readonly salt: string
  readonly parse: Parse
  readonly lineage: (relation: Relation) => Lineage
}

/** The end of a value that was computed from a column may be any part of the column's value. */
function computed(before: Transform | undefined, found: Transform | undefined): Transform | undefined {
  return found === undefined ? before : strictest(before, found === 'partial' ? 'redact' : found)
}

export class Masking {
  readonly #parts: MaskingParts
  readonly #known = new Map<Relation, ReadonlyMap<string, Transform>>()
  readonly #origins = new Set<string>()
  /** A masked column was read other than for RETURNING. */
  hasRead = false
  hasReturned = false
  isReturning = false
  sawJoin = false
  /** Inside EXPLAIN: what it prints holds the expressions, so the salt must not be the real one. */
  isExplaining = false
  /** References replaced so far. */
  replacements = 0

  constructor(parts: MaskingParts) {
    this.#parts = parts
  }

  /** The masked columns of a relation: its own, those of its family, and for a view those whose origin is masked. */
  of(relation: Relation): ReadonlyMap<string, Transform> {
    const known = this.#known.get(relation)
    if (known !== undefined) return known
    const masked = new Map<string, Transform>()
    // A view is asked about while its own lineage is being followed only where the catalogue is circular, which PostgreSQL forbids.
    this.#known.set(relation, masked)
    for (const column of relation.columns ?? []) {
      const transform = this.#transformOf(relation, column.name)
      if (transform !== undefined) masked.set(column.name, transform)
    }
    return masked
  }

  #transformOf(relation: Relation, column: string): Transform | undefined {
    const { index, lineage } = this.#parts
    let transform: Transform | undefined
    for (const one of [relation, ...index.family(relation)]) {
      if (one.columns?.some((known) => known.name === column) !== true) continue
      transform = this.#matching(`${one.id}.${column}`, transform)
      for (const part of index.madeOf(one, column)) transform = computed(transform, this.#matching(`${one.id}.${part}`, undefined))
      if ((one.kind !== 'v' && one.kind !== 'm') || isSystem(one)) continue
      const under = lineage(one)
      for (const origin of under.column(column)) {
        const found = this.#matching(origin, undefined)
        if (found !== undefined)
          transform = under.plain(column) === origin ? strictest(transform, found) : computed(transform, found)
      }
    }
    return transform
  }

  #matching(id: string, before: Transform | undefined): Transform | undefined {
    let transform = before
    for (const mask of this.#parts.masks) if (matchesName(mask.column, id)) transform = strictest(transform, mask.with)
    return transform
  }

  /** A column of the relation is read. */
  sees(relation: Relation, column: string): void {
    if (relation.columns === undefined) throw new Untraceable(`table ${relation.name} is not known here`)
    // Made since the catalogue was read: a mask might be meant for it.
    if (!relation.columns.some((one) => one.name === column))
      throw new Untraceable(`column ${column} of ${relation.name} is not known here`)
    if (!this.of(relation).has(column)) return
    this.#touches(relation)
    if (this.isReturning) this.hasReturned = true
    else this.hasRead = true
  }

  #touches(relation: Relation): void {
    for (const column of relation.columns ?? []) {
      if (this.of(relation).has(column.name)) this.#origins.add(`${relation.oid}.${column.attnum}`)
    }
  }

  /** These are written; none of their masked columns may come back. */
  writes(relations: readonly Relation[]): void {
    for (const relation of relations) this.#touches(relation)
  }

  returnsWholeRow(source: Source): void {
    if (source.relations.some((relation) => this.of(relation).size > 0))
      throw new Untraceable('a whole row of a masked table that is written')
  }

  /** Throws where any of these is masked: the statement is of a kind that cannot be rewritten. */
  refuse(relations: readonly Relation[], what: string): void {
    for (const relation of relations) {
      if (relation.columns === undefined || this.of(relation).size > 0) throw new Untraceable(`${what} of a masked table`)
    }
  }

  /** The sub-select that stands in the place of a reference to these relations, where one of them is masked. */
  replace(range: RangeVar, relations: readonly Relation[]): Node | undefined {
    const [relation] = relations
    if (relation?.columns === undefined) throw new Untraceable(`table ${range.relname ?? ''} is not known here`)
    if (!relations.some((one) => this.of(one).size > 0)) return undefined
    if (relations.length > 1) throw new Untraceable(`more than one table is named ${range.relname ?? ''}; name its schema`)
    this.#touches(relation)
    const alias = range.alias ?? { aliasname: range.relname ?? '' }
    const subquery = this.select(relation, range.inh !== true)
    this.replacements++
    return wrap('RangeSubselect', { subquery, alias })
  }

  /** `SELECT every column, masked where it must be, FROM relation`. */
  select(
    relation: Relation,
    only: boolean,
    columns: readonly string[] = (relation.columns ?? []).map((column) => column.name),
  ): Node {
    const masked = this.of(relation)
    const list = columns.map((name) => {
      const transform = masked.get(name)
      return transform === undefined ? quoted(name) : `${this.#sql(relation, name, transform, quoted(name))} AS ${quoted(name)}`
    })
    const text = `SELECT ${list.join(', ')} FROM ${only ? 'ONLY ' : ''}${quoted(relation.schema)}.${quoted(relation.name)}`
    return this.#parsed(text)
  }

  expression(relation: Relation, name: string, transform: Transform, reference: readonly string[]): Node {
    this.replacements++
    const select = tagged(this.#parsed(`SELECT ${this.#sql(relation, name, transform, reference.map(quoted).join('.'))}`))
    const target = tagged((select?.body as SelectStmt | undefined)?.targetList?.[0])
    return target?.body.val as Node
  }

  #sql(relation: Relation, name: string, transform: Transform, reference: string): string {
    const column = relation.columns?.find((one) => one.name === name)
    if (column === undefined) throw new Untraceable(`column ${name} is not known here`)
    return maskedSql(this.#parts.index, column, transform, reference, this.isExplaining ? 'explained' : this.#parts.salt)
  }

  #parsed(text: string): Node {
    const [node] = this.#parts.parse(text)
    if (node === undefined) throw new Untraceable('the masked query could not be made')
    return node
  }

  get forbiddenOrigins(): readonly string[] {
    return [...this.#origins]
  }
}
