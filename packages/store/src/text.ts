// Postgres text and jsonb refuse NUL and lone surrogates, and recorded statements may hold both. They are written as U+241B (the visible
// sign for ESCAPE) and four hex digits; that sign itself likewise, so nothing is lost and nothing can be forged.

const ESCAPE = '\u241b'
// eslint-disable-next-line no-control-regex -- NUL is what this is about
const unstorable = /[\u0000\u241b]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
const escaped = /\u241b([0-9A-F]{4})/g

export function storable(text: string): string {
  return text.replace(unstorable, (unit) => ESCAPE + unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0'))
}

export function stored(text: string): string {
  return text.includes(ESCAPE) ? text.replace(escaped, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))) : text
}

export function storableOrNull(text: string | null): string | null {
  return text === null ? null : storable(text)
}

export function storedOrNull(text: string | null): string | null {
  return text === null ? null : stored(text)
}

function deeply(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) return value.map((item) => deeply(item, change))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [change(name), deeply(item, change)]))
}

/** JSON for a jsonb column. */
export function storableJson(value: unknown): string {
  const plain = JSON.stringify(value)
  // JSON writes what must be escaped as \u0000, \ud800 and the like; without those the value needs no second pass.
  return plain.includes('\\u') || plain.includes(ESCAPE) ? JSON.stringify(deeply(value, storable)) : plain
}

/** What `storableJson` wrote, as `pg` parsed it. */
export function storedJson<T>(value: T): T {
  return deeply(value, stored) as T
}
