// The operations of an OpenAPI file (3.x, or Swagger 2.0): method, path template and name of each.

import { readFileSync, statSync } from 'node:fs'
import { parse } from 'yaml'
import { reasonOf } from './text.js'

export interface Operation {
  readonly method: string
  readonly path: string
  readonly id: string
}

const maxFileBytes = 16 * 1024 * 1024
const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

export function readOperations(file: string): { readonly operations: readonly Operation[]; readonly problem?: string } {
  let document: unknown
  try {
    if (statSync(file).size > maxFileBytes) return { operations: [], problem: `${file}: too large for an OpenAPI file` }
    document = parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 })
  } catch (error) {
    return { operations: [], problem: `${file}: ${reasonOf(error)}` }
  }
  const paths = member(document, 'paths')
  if (!isMapping(paths)) return { operations: [], problem: `${file}: no OpenAPI file; it has no paths` }
  const base = basePath(document)
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = member(item, method)
      if (!isMapping(operation)) return []
      const id = operation['operationId']
      return [
        {
          method: method.toUpperCase(),
          path: base + path,
          id: typeof id === 'string' && id !== '' ? id : `${method.toUpperCase()} ${path}`,
        },
      ]
    }),
  )
  return { operations }
}

/** Swagger's basePath; OpenAPI's servers are where the target is, which its address says. */
function basePath(document: unknown): string {
  const base = member(document, 'basePath')
  return typeof base === 'string' ? base.replace(/\/$/, '') : ''
}

function member(value: unknown, name: string): unknown {
  return isMapping(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
