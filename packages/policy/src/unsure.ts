// Names of which a part is not known. `?.customers` is a table whose schema could not be told: it may be any.

import { matchesAnyName, matchesName, unknownText } from '@sallyport/core'

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

/** Longer texts with unknown parts are not compared: they could match. */
const maxComparedCharacters = 4_096

/** Whether the pattern matches a text of which some parts are not known: each can be any run of characters. */
export function matchesPartly(pattern: string, text: string): Certainty {
  if (!text.includes(unknownText)) return matchesName(pattern, text) ? 'yes' : 'no'
  if (matchesName(pattern, text.replaceAll(unknownText, anySchema))) return 'yes'
  return text.length > maxComparedCharacters || canMeet(pattern, text) ? 'could' : 'no'
}

export function matchesAnyPartly(patterns: readonly string[], text: string): Certainty {
  return surest(patterns.map((pattern) => matchesPartly(pattern, text)))
}

/** Whether any string is both what the pattern and what the text can be: two texts with gaps, compared by columns of a table. */
function canMeet(pattern: string, text: string): boolean {
  const width = text.length
  // below[j]: the rest of the pattern and the text from j on can meet.
  let below: boolean[] = Array.from({ length: width + 1 }, () => false)
  below[width] = true
  for (let j = width - 1; j >= 0 && text[j] === unknownText; j -= 1) below[j] = true
  for (let i = pattern.length - 1; i >= 0; i -= 1) {
    const row: boolean[] = Array.from({ length: width + 1 }, () => false)
    for (let j = width; j >= 0; j -= 1) {
      const gap = j < width && text[j] === unknownText
      if (pattern[i] === '*') row[j] = below[j] === true || (j < width && row[j + 1] === true)
      else if (gap) row[j] = row[j + 1] === true || below[j] === true
      else row[j] = j < width && pattern[i] === text[j] && below[j + 1] === true
    }
    below = row
  }
  return below[0] === true
}

export function surest(all: readonly Certainty[]): Certainty {
  if (all.includes('yes')) return 'yes'
  return all.includes('could') ? 'could' : 'no'
}

export function leastSure(all: readonly Certainty[]): Certainty {
  if (all.includes('no')) return 'no'
  return all.includes('could') ? 'could' : 'yes'
}
