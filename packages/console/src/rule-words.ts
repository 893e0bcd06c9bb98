// A rule or a grant as an operator wrote it, one line for each thing it says.

export interface Line {
  readonly name: string
  readonly value: string
}

/** Nested keys are joined by a dot, lists by a comma; the rule's name and its outcome stand elsewhere. */
export function linesOf(written: Readonly<Record<string, unknown>>, skip: readonly string[] = []): readonly Line[] {
  return Object.entries(written).flatMap(([key, value]) => (skip.includes(key) ? [] : said(key, value)))
}

function said(name: string, value: unknown): readonly Line[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return [{ name, value: value.map((each) => String(each)).join(', ') }]
  if (typeof value === 'object') return Object.entries(value).flatMap(([key, part]) => said(`${name}.${key}`, part))
  return [{ name, value: typeof value === 'string' ? value : JSON.stringify(value) }]
}
