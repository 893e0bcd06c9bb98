// Which operation of the target's OpenAPI file a request is. Literal segments count before templates, as the specification says
// (OpenAPI 3.1, section 4.8.8.2).

import type { Target } from '@sallyport/core'

type Find = (method: string, path: string) => readonly string[]

const compiled = new WeakMap<Target, Find | 'none'>()

/** Undefined: the target has no such file, so nothing is known of its operations. */
export function operationsOf(target: Target, method: string, path: string): readonly string[] | undefined {
  let find = compiled.get(target)
  if (find === undefined) {
    find = compile(target)
    compiled.set(target, find)
  }
  return find === 'none' ? undefined : find(method, path)
}

function compile(target: Target): Find | 'none' {
  const operations = target.http?.operations ?? []
  if (operations.length === 0) return 'none'
  const templates = operations.map(({ method, path, id }) => ({ method: method.toUpperCase(), id, segments: path.split('/') }))
  return (method, path) => {
    const asked = path.split('/')
    const met = templates.filter((template) => template.method === method && fits(template.segments, asked))
    const fixed = (template: (typeof templates)[number]): number =>
      template.segments.filter((segment) => !segment.includes('{')).length
    const best = met.toSorted((one, other) => fixed(other) - fixed(one))[0]
    return best === undefined ? [] : [best.id]
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
