// Names of which a part is not known. `?.customers` is a table whose schema could not be told: it may be any.

import { matchesAnyName, matchesName } from '@sallyport/core'

/** How surely something holds. Restricting rules count from 'could' on, allowing rules only with 'yes'. */
export type Certainty = 'no' | 'could' | 'yes'

/** Stands for a schema no pattern can spell, so that a match must have come from a `*`. */
const anySchema = '\u{10ffff}'

export function isUnsure(name: string): boolean {
  return name.startsWith('?.')
}

/** Whether the pattern matches the name: 'could' where it does for some schema but not for every one. */
function matchesUnsureName(pattern: string, name: string): Certainty {
  if (!isUnsure(name)) return matchesName(pattern, name) ? 'yes' : 'no'
  const rest = name.slice(1)
  if (matchesName(pattern, anySchema + rest)) return 'yes'
  // Some schema fits exactly where some tail of the pattern matches all that follows the schema.
  for (let from = 0; from < pattern.length; from += 1) {
    if (matchesName(pattern.slice(from), rest)) return 'could'
  }
  return 'no'
}

export function matchesAnyUnsureName(patterns: readonly string[], name: string): Certainty {
  if (!isUnsure(name)) return matchesAnyName(patterns, name) ? 'yes' : 'no'
  return surest(patterns.map((pattern) => matchesUnsureName(pattern, name)))
}

export function surest(all: readonly Certainty[]): Certainty {
  if (all.includes('yes')) return 'yes'
  return all.includes('could') ? 'could' : 'no'
}

export function leastSure(all: readonly Certainty[]): Certainty {
  if (all.includes('no')) return 'no'
  return all.includes('could') ? 'could' : 'yes'
}
