// The parse tree as libpg-query gives it: a node is an object with one capitalised key, all else is a plain structure inside one.

import type { Node } from 'libpg-query'

export type Body = Readonly<Record<string, unknown>>

export interface Tagged {
  readonly kind: string
  readonly body: Body
}

export function isBody(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function tagged(value: unknown): Tagged | undefined {
  if (!isBody(value)) return undefined
  const keys = Object.keys(value)
  const kind = keys[0]
  if (kind === undefined || keys.length !== 1) return undefined
  const first = kind.charCodeAt(0)
  const body = value[kind]
  return first >= 65 && first <= 90 && isBody(body) ? { kind, body } : undefined
}

/** A field's text or number, as text. */
export function textOf(value: unknown, otherwise = ''): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : otherwise
}

/** The text of a String node. */
export function nameOf(node: unknown): string | undefined {
  const string = tagged(node)
  return string?.kind === 'String' ? textOf(string.body.sval) : undefined
}

/** The names in a list of String nodes; a List inside counts as its members. */
export function namesOf(nodes: readonly unknown[] | undefined): string[] {
  return (nodes ?? []).flatMap((node) => {
    const list = tagged(node)
    if (list?.kind === 'List') return namesOf(list.body.items as readonly unknown[] | undefined)
    const name = nameOf(node)
    return name === undefined ? [] : [name]
  })
}

/** The value of a constant, also under casts: a string, number or boolean as text. */
export function constantOf(node: unknown): string | undefined {
  const found = tagged(node)
  if (found === undefined) return undefined
  const { kind, body } = found
  if (kind === 'TypeCast') return constantOf(body.arg)
  if (kind === 'String') return textOf(body.sval)
  if (kind === 'Integer') return textOf(body.ival, '0')
  if (kind === 'Float') return textOf(body.fval)
  if (kind === 'Boolean') return body.boolval === true ? 'true' : 'false'
  if (kind !== 'A_Const' || body.isnull === true) return undefined
  if (isBody(body.sval)) return textOf(body.sval.sval)
  if (isBody(body.ival)) return textOf(body.ival.ival, '0')
  if (isBody(body.fval)) return textOf(body.fval.fval)
  if (isBody(body.boolval)) return body.boolval.boolval === true ? 'true' : 'false'
  return undefined
}

/** The text of a string constant, also under casts. A number is none: texts that differ in numbers alone are understood as one. */
export function stringOf(node: unknown): string | undefined {
  const found = tagged(node)
  if (found?.kind === 'TypeCast') return stringOf(found.body.arg)
  return found?.kind === 'A_Const' && isBody(found.body.sval) ? textOf(found.body.sval.sval) : undefined
}

/** Whether any node of this kind is inside. */
export function holds(value: unknown, kind: string): boolean {
  if (Array.isArray(value)) return value.some((item) => holds(item, kind))
  if (!isBody(value)) return false
  return Object.entries(value).some(([key, item]) => key === kind || holds(item, kind))
}

const placeFields: ReadonlySet<string> = new Set([
  'location',
  'stmt_location',
  'stmt_len',
  'name_location',
  'rexpr_list_start',
  'rexpr_list_end',
  'list_start',
  'list_end',
])

/** The tree without places in the text and with its fields in order, as comparable text. */
export function shape(tree: unknown): string {
  return JSON.stringify(tree, (key, value: unknown) => {
    if (placeFields.has(key)) return undefined
    if (!isBody(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
  })
}

export function wrap(kind: string, body: object): Node {
  return { [kind]: body } as unknown as Node
}
