// Masks laid over JSON as it streams. JSON that is written inside a string (a tool's answer, a log line) is masked like the rest.

import { JsonWalk, textOf } from './json-walk.js'
import type { Masker } from './masker.js'
import { Unmaskable } from './unmaskable.js'

/** A JSON text in a string in a JSON text ... */
const maxNesting = 5

export function jsonMask(masker: Masker, nesting = 0): JsonWalk {
  return new JsonWalk({
    open: (path, _depth, array) => {
      if (path !== '$' && masker.forField(path) !== undefined) return 'null'
      return tellsTokens(path) ? (array ? '[]' : 'null') : undefined
    },
    key: (name) => {
      const masked = masker.text(name)
      return masked === name ? undefined : JSON.stringify(masked)
    },
    scalar: (raw, path) => scalar(raw, path, masker, nesting),
  })
}

/** Probabilities of a model's tokens tell its text once more, in pieces that no mask fits. */
function tellsTokens(path: string): boolean {
  return path
    .slice(path.lastIndexOf('.') + 1)
    .toLowerCase()
    .includes('logprob')
}

function scalar(raw: Buffer, path: string, masker: Masker, nesting: number): string | undefined {
  const isText = raw[0] === 0x22
  const transform = masker.forField(path)
  if (transform !== undefined) {
    if (raw.equals(nothing)) return undefined
    return isText ? JSON.stringify(masker.value(textOf(raw), transform)) : 'null'
  }
  const text = isText ? textOf(raw) : raw.toString('latin1')
  const inner = isText ? maskedInside(text, masker, nesting) : undefined
  if (inner !== undefined) return inner === text ? undefined : JSON.stringify(inner)
  const masked = masker.text(text)
  if (masked === text) return undefined
  return isText ? JSON.stringify(masked) : 'null'
}

const nothing = Buffer.from('null')

/** The same for a string by itself. */
export function maskedString(text: string, masker: Masker): string | undefined {
  return maskedInside(text, masker, 0)
}

/** The text with its masks where it is JSON itself; undefined where it is not. */
function maskedInside(text: string, masker: Masker, nesting: number): string | undefined {
  if (!/^\s*[[{"]/.test(text)) return undefined
  if (nesting >= maxNesting) throw new Unmaskable('JSON is nested in strings too deep')
  const walk = jsonMask(masker, nesting + 1)
  try {
    return Buffer.concat([walk.push(Buffer.from(text, 'utf8')), walk.end()]).toString('utf8')
  } catch (error) {
    if (error instanceof Unmaskable) return undefined
    throw error
  }
}
