// A text with its numbers taken out, so that the same query with other numbers is understood once. What a query or write does to which
// columns does not depend on a number, but whether two expressions are the same does: equal numbers get equal marks.

import { isDigit, isWord, markOf, maxLiterals, numberEnd, wordEnd } from '../numbers.js'

/** Only these say what they do without regard to any number; a SET, for one, does not. */
const opening = /^\s*(?:select|insert|update|delete|with)\b/i

const quote = 39
const doubleQuote = 34
const dollar = 36
const dot = 46
const semicolon = 59
const dash = 45
const slash = 47
const star = 42

/** Undefined where the text holds anything whose end this short scan could get wrong (comments, dollar quotes, prefixed strings),
 * and where a second statement follows, which may be one whose numbers matter. */
export function numberless(text: string): string | undefined {
  if (!opening.test(text)) return undefined
  const numbers: string[] = []
  let out = ''
  let kept = 0
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at)
    const next = text.charCodeAt(at + 1)
    // Where marks would stand.
    if (code === 1) return undefined
    if (isDigit(code)) {
      const end = numberEnd(text, at)
      if (end === undefined || numbers.length >= maxLiterals) return undefined
      out += `${text.slice(kept, at)}\u0001${markOf(numbers, text.slice(at, end))}`
      kept = end
      at = end
    } else if (isWord(code)) {
      at = wordEnd(text, at)
      if (text.charCodeAt(at) === quote || text.charCodeAt(at) === 38) return undefined
    } else if (code === quote || code === doubleQuote) {
      at = text.indexOf(String.fromCharCode(code), at + 1) + 1
      if (at === 0) return undefined
    } else if (code === dollar) {
      if (!isDigit(next)) return undefined
      at = wordEnd(text, at + 1)
    } else if (code === semicolon && text.slice(at + 1).trim() !== '') return undefined
    else if ((code === dash && next === dash) || (code === slash && next === star) || (code === dot && isDigit(next)))
      return undefined
    else at += 1
  }
  return out + text.slice(kept)
}
