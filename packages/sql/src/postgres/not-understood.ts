// What is said of a text that could not be read. Apart from the parser, which the main thread never loads.

import type { Effect } from '@sallyport/core'
import type { Understanding } from '../understanding.js'

const unknown: readonly Effect[] = [{ access: 'unknown', verb: 'unknown', object: '' }]

/** What is said of a text that cannot be read: too long, not to be parsed, or the parser was lost over it. */
export function notUnderstood(text: string): Understanding {
  return {
    effects: unknown,
    text: coverUnparsed(text),
    understood: false,
    empty: false,
    prepares: [],
    onlyPrepares: false,
    executes: [],
    declares: [],
    fetches: [],
    deallocates: [],
    addsSchemas: [],
    changesCatalog: true,
    copiesIn: false,
  }
}

/** Where a text does not parse nobody knows where a literal ends: after the word password, everything from the first quote on is covered. */
function coverUnparsed(text: string): string {
  const password = text.search(/password|passwd|\bidentified\b/i)
  if (password < 0) return text
  const quote = text.slice(password).search(/'|\$\w*\$/)
  return quote < 0 ? text : text.slice(0, password + quote) + `'[secret]'`
}
