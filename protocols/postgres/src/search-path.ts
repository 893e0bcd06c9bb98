// Under which schemas a bare name may stand: those in force when the catalogue was read, those that a statement of the session may have
// added, and those that the server reports (PostgreSQL 18). Never fewer than the server may look in.

import type { SqlContext } from '@sallyport/sql'
import type { Catalogue } from './catalogues.js'

export class SearchPath {
  readonly #trustedFunctions: readonly string[]
  /** Every schema that a SET search_path may have added so far. */
  #added: readonly string[] = []
  #context: { readonly made: SqlContext; readonly from: readonly unknown[] } | undefined

  constructor(trustedFunctions: readonly string[]) {
    this.#trustedFunctions = trustedFunctions
  }

  add(schemas: readonly string[]): void {
    if (schemas.length > 0) this.#added = [...new Set([...this.#added, ...schemas])]
  }

  /** `reported`: search_path as the server last reported it. The same object as long as nothing has changed. */
  contextOf(catalogue: Catalogue, reported: string | undefined): SqlContext {
    const from = [catalogue, this.#added, reported]
    if (this.#context?.from.every((one, index) => one === from[index]) === true) return this.#context.made
    const now = reported === undefined ? [] : readReported(reported, catalogue.content.user)
    const schemas = [...new Set([...catalogue.content.schemas, ...this.#added, ...now])]
    const made = { catalog: catalogue.id, schemas, trustedFunctions: this.#trustedFunctions }
    this.#context = { made, from }
    return made
  }

  /** What was made last. */
  get context(): SqlContext | undefined {
    return this.#context?.made
  }
}

function readReported(searchPath: string, user: string): string[] {
  return [...searchPath.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)]
    .map(([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? '')
    .map((name) => (name === '$user' ? user : name))
}
