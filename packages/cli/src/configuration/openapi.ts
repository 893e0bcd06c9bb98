// The operations of an OpenAPI file (3.x, or Swagger 2.0): method, path template and name of each, and of a 3.x file, where it is asked
// for, what requests of each must look like.

import { readFileSync, statSync } from 'node:fs'
import type { HttpOperation } from '@sallyport/core'
import { describedFaults } from '@sallyport/http'
import { parse } from 'yaml'
import { shapesOf } from './openapi-shapes.js'
import { isMapping, member } from './mapping.js'
import { reasonOf } from './text.js'

export interface ReadOpenapi {
  readonly operations: readonly HttpOperation[]
  /** What the shapes of operations refer to; absent: they have none. */
  readonly schemas?: Readonly<Record<string, unknown>>
  readonly problem?: string
}

const maxFileBytes = 16 * 1024 * 1024
const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

export function readOpenapi(file: string, check: boolean): ReadOpenapi {
  let document: unknown
  try {
    if (statSync(file).size > maxFileBytes) return { operations: [], problem: `${file}: too large for an OpenAPI file` }
    document = parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 })
  } catch (error) {
    return { operations: [], problem: `${file}: ${reasonOf(error)}` }
  }
  const paths = member(document, 'paths')
  if (!isMapping(paths)) return { operations: [], problem: `${file}: no OpenAPI file; it has no paths` }
  const found = operationsOf(paths, basePath(document))
  const plain = found.map(({ method, path, id }) => ({ method, path, id }))
  if (!check) return { operations: plain }
  const version = member(document, 'openapi')
  if (typeof version !== 'string' || !version.startsWith('3.'))
    return { operations: plain, problem: `${file}: only OpenAPI 3 says what can be checked; leave check out` }
  const shaped = shapesOf(document, found)
  const fault = shaped.problem ?? describedFaults(shaped.operations, shaped.schemas)
  if (fault !== undefined) return { operations: plain, problem: `${file}: ${fault}` }
  return { operations: shaped.operations, schemas: shaped.schemas }
}

export interface FoundOperation {
  readonly method: string
  readonly path: string
  readonly id: string
  readonly item: unknown
  readonly operation: unknown
}

function operationsOf(paths: Readonly<Record<string, unknown>>, base: string): readonly FoundOperation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = member(item, method)
      if (!isMapping(operation)) return []
      const id = operation['operationId']
      const named = typeof id === 'string' && id !== '' ? id : `${method.toUpperCase()} ${path}`
      return [{ method: method.toUpperCase(), path: base + path, id: named, item, operation }]
    }),
  )
}

/** Swagger's basePath; OpenAPI's servers are where the target is, which its address says. */
function basePath(document: unknown): string {
  const base = member(document, 'basePath')
  return typeof base === 'string' ? base.replace(/\/$/, '') : ''
}
