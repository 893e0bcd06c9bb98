// Which operation of the target's OpenAPI file a request is. Literal segments count before templates, as the specification says
// (OpenAPI 3.1, section 4.8.8.2).

import type { HttpOperation, Target } from '@sallyport/core'

export interface Found {
  readonly operation: HttpOperation
  /** What stands in the path where the template has names. */
  readonly values: Readonly<Record<string, string>>
}

type Find = (method: string, path: string) => Found | undefined

const compiled = new WeakMap<Target, Find | 'none'>()

/** Undefined: the target has no such file, so nothing is known of its operations. */
export function operationsOf(target: Target, method: string, path: string): readonly string[] | undefined {
  let find = compiled.get(target)
  if (find === undefined) {
    const operations = target.http?.operations ?? []
    find = operations.length === 0 ? 'none' : operationFinder(operations)
    compiled.set(target, find)
  }
  if (find === 'none') return undefined
  const found = find(method, path)
  return found === undefined ? [] : [found.operation.id]
}

/** For decoded paths. */
export function operationFinder(operations: readonly HttpOperation[]): Find {
  const templates = operations
    .map((operation) => ({ operation, method: operation.method.toUpperCase(), segments: operation.path.split('/') }))
    .map((template) => ({ ...template, fixed: template.segments.filter((segment) => !segment.includes('{')).length }))
    .toSorted((one, other) => other.fixed - one.fixed)
  return (method, path) => {
    const asked = path.split('/')
    const best = templates.find((template) => template.method === method && fits(template.segments, asked))
    return best === undefined ? undefined : { operation: best.operation, values: valuesOf(best.segments, asked) }
  }
}

function fits(template: readonly string[], asked: readonly string[]): boolean {
  return template.length === asked.length && template.every((segment, index) => segmentFits(segment, asked[index] ?? ''))
}

function segmentFits(template: string, asked: string): boolean {
  const open = template.indexOf('{')
  if (open < 0) return template === asked
  const close = template.lastIndexOf('}')
  const [head, tail] = [template.slice(0, open), template.slice(close + 1)]
  return asked.length > head.length + tail.length && asked.startsWith(head) && asked.endsWith(tail)
}

/** A segment with several names in it is not taken apart. */
function valuesOf(template: readonly string[], asked: readonly string[]): Readonly<Record<string, string>> {
  const values: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [index, segment] of template.entries()) {
    const [, head = '', name, tail = ''] = /^([^{}]*)\{([^{}]+)\}([^{}]*)$/.exec(segment) ?? []
    const value = asked[index] ?? ''
    if (name !== undefined) values[name] = value.slice(head.length, value.length - tail.length)
  }
  return values
}
