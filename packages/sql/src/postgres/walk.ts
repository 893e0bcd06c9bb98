// What every part of the reading of one text shares. The parts call each other through it, so that no two of them need to import each other.

import type { Node, SelectStmt } from 'libpg-query'
import type { Effect, Access } from '@sallyport/core'
import type { CatalogIndex, Relation } from './catalog-index.js'
import type { Effects } from './effects.js'
import type { Masking } from './masking.js'
import type { Scope } from './scope.js'
import type { Lineage } from './lineage.js'

/** One column a query gives; without a name where PostgreSQL's choice of it is not followed here. */
export interface Output {
  readonly name: string | undefined
  readonly touched: ReadonlySet<string>
  /** The one column it is, where it is nothing but that. */
  readonly plain: string | undefined
}

export interface Outputs {
  readonly columns: readonly Output[]
  /** There may be more columns than these. */
  readonly open: boolean
  /** Touched by predicates, joins, sorting: by rows being there at all. */
  readonly always: ReadonlySet<string>
}

interface Prepared {
  readonly name: string
  readonly effects: readonly Effect[]
  readonly text: string
}

/** What a text says beside its effects. */
export interface Facts {
  refusal: string | undefined
  changesCatalog: boolean
  copiesIn: boolean
  /** INSERT, UPDATE, DELETE, MERGE, and tables made of queries, met so far. */
  dataWrites: number
  /** The statement now read holds a credential among its literals. */
  holdsSecret: boolean
  /** What the definition now read does, for the relations it names. */
  defining: { readonly access: Access; readonly verb: string }
  /** The text of the statement now read. */
  statementText: string
  /** A name was met that stands for something read later; lineage is then not to be relied on. */
  imprecise: boolean
  readonly prepares: Prepared[]
  readonly declares: { readonly name: string; readonly effects: readonly Effect[] }[]
  readonly executes: string[]
  readonly fetches: string[]
  readonly deallocates: string[]
  readonly addsSchemas: string[]
}

export interface Names {
  readonly schemas: readonly string[]
  readonly trustedFunctions: readonly string[]
}

export interface Walk {
  readonly index: CatalogIndex
  /** Whom the catalogue was read as; what `$user` in a search_path stands for. */
  readonly user: string
  readonly names: Names
  readonly facts: Facts
  effects: Effects
  readonly masking: Masking | undefined
  lineage(relation: Relation): Lineage
  expression(node: unknown, scope: Scope): void
  query(select: SelectStmt, outer: Scope | undefined): Outputs
  /** Reads a SELECT, INSERT, UPDATE, DELETE or MERGE, wherever it stands. */
  dataStatement(node: unknown, outer: Scope | undefined): Outputs
  /** Adds what the item brings into scope; answers the item, or what takes its place where it is masked. */
  fromItem(node: Node, scope: Scope): Node
  statement(node: Node): void
  /** A relation named inside a definition: it is as much affected as what is defined. */
  mention(relation: unknown): void
}

/** Thrown where a text cannot be masked at the source; nothing of it may run. */
export class Untraceable extends Error {}

export function newFacts(): Facts {
  return {
    refusal: undefined,
    changesCatalog: false,
    copiesIn: false,
    dataWrites: 0,
    holdsSecret: false,
    defining: { access: 'unknown', verb: 'select' },
    statementText: '',
    imprecise: false,
    prepares: [],
    declares: [],
    executes: [],
    fetches: [],
    deallocates: [],
    addsSchemas: [],
  }
}
