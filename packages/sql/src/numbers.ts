// Numbers in a text, as far as a short scan can be sure of them: what both dialects share that take literals out of texts.

const dollar = 36
const dot = 46

export const isDigit = (code: number): boolean => code >= 48 && code <= 57
export const isWord = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code >= 128 || isDigit(code)

/** More different literals than this are a bulk load, whose text comes once. */
export const maxLiterals = 200

export function wordEnd(text: string, from: number): number {
  let at = from
  while (isWord(text.charCodeAt(at)) || text.charCodeAt(at) === dollar) at += 1
  return at
}

/** An integer or a plain decimal that ends where a word could not go on; no leading zeros, since `1` and `01` are the same number. */
export function numberEnd(text: string, from: number): number | undefined {
  let at = from
  while (isDigit(text.charCodeAt(at))) at += 1
  if (text.charCodeAt(from) === 48 && at > from + 1) return undefined
  if (text.charCodeAt(at) === dot && isDigit(text.charCodeAt(at + 1))) {
    at += 1
    while (isDigit(text.charCodeAt(at))) at += 1
  }
  const after = text.charCodeAt(at)
  return isWord(after) || after === dot || after === dollar ? undefined : at
}

/** Equal literals get equal marks: whether two expressions are the same may matter. */
export function indexOf(literals: string[], literal: string): number {
  const known = literals.indexOf(literal)
  return known >= 0 ? known : literals.push(literal) - 1
}

/** The type stays visible: an integer and a decimal may choose different functions. */
export function markOf(numbers: string[], number: string): string {
  return `${number.includes('.') ? 'd' : 'i'}${indexOf(numbers, number)}`
}
