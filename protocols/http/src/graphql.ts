// GraphQL: which root fields are asked for and which fields below them, fragments followed.

import { Kind, parse } from 'graphql'
import type { DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode } from 'graphql'

export interface GraphqlRequest {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly roots: readonly { readonly name: string; readonly fields: readonly string[] }[]
  /** A field that is answered under another name. */
  readonly renames?: string
}

const maxTokens = 10_000
const maxCharacters = 200_000
const maxSelections = 5_000
const maxDepth = 50

class TooMuch extends Error {}

/** Undefined: it does not parse, or which operation runs cannot be told. */
export function readGraphql(query: string, operationName: string | undefined): GraphqlRequest | undefined {
  if (query.length > maxCharacters) return undefined
  let document: DocumentNode
  try {
    document = parse(query, { maxTokens, noLocation: true })
  } catch {
    return undefined
  }
  const operations = document.definitions.filter((node): node is OperationDefinitionNode => node.kind === Kind.OPERATION_DEFINITION)
  const named =
    operationName === undefined || operationName === ''
      ? operations
      : operations.filter((node) => node.name?.value === operationName)
  const [operation, another] = named
  if (operation === undefined || another !== undefined) return undefined
  const fragments = new Map(
    document.definitions
      .filter((node): node is FragmentDefinitionNode => node.kind === Kind.FRAGMENT_DEFINITION)
      .map((node) => [node.name.value, node]),
  )
  try {
    const reader = new Selections(fragments)
    const roots = reader.roots(operation.selectionSet)
    return { type: operation.operation, roots, ...(reader.renamed === undefined ? {} : { renames: reader.renamed }) }
  } catch (error) {
    if (error instanceof TooMuch) return undefined
    throw error
  }
}

class Selections {
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>
  #seen = 0
  renamed: string | undefined

  constructor(fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
    this.#fragments = fragments
  }

  roots(set: SelectionSetNode): GraphqlRequest['roots'] {
    const roots = new Map<string, Set<string>>()
    this.#walk(set, '', 0, (path) => {
      const name = path.split('.', 1)[0] as string
      const fields = roots.get(name) ?? new Set<string>()
      roots.set(name, fields.add(path))
    })
    return [...roots].map(([name, fields]) => ({ name, fields: [...fields] }))
  }

  #walk(set: SelectionSetNode, path: string, depth: number, found: (path: string) => void): void {
    if (depth > maxDepth) throw new TooMuch()
    for (const selection of set.selections) {
      this.#seen += 1
      if (this.#seen > maxSelections) throw new TooMuch()
      if (selection.kind === Kind.FIELD) {
        const name = selection.name.value
        const here = path === '' ? name : `${path}.${name}`
        if (selection.alias !== undefined && selection.alias.value !== name) this.renamed = here
        found(here)
        if (selection.selectionSet !== undefined) this.#walk(selection.selectionSet, here, depth + 1, found)
        continue
      }
      const inner =
        selection.kind === Kind.INLINE_FRAGMENT ? selection.selectionSet : this.#fragments.get(selection.name.value)?.selectionSet
      if (inner === undefined) throw new TooMuch()
      this.#walk(inner, path, depth + 1, found)
    }
  }
}
