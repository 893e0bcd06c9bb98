// A path as rules see it, in every way that a server could read it. Servers differ on encoded slashes, empty segments, parameters after
// `;` and on decoding twice; a rule that denies counts for each reading, and a rule that allows must cover all of them.

import { badRequest } from './refusal.js'

/** `path`: as it goes on, without its query and without dot segments. The first reading is the plain one. */
export function readingsOf(path: string): readonly string[] {
  if (!/[%;]|\/\//.test(path)) return [path]
  const plain = decode(path)
  const slashes = plain.replaceAll('\\', '/')
  const merged = slashes.replaceAll(/\/{2,}/g, '/')
  const bare = merged.replaceAll(/;[^/]*/g, '')
  const twice = /%[0-9A-Fa-f]{2}/.test(bare) ? decodeLoosely(bare) : bare
  return [...new Set([plain, slashes, merged, bare, twice].map(resolved))]
}

function decode(path: string): string {
  let text: string
  try {
    text = decodeURIComponent(path)
  } catch {
    throw badRequest('bad-target', 'the path is not UTF-8')
  }
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) throw badRequest('bad-target', 'the path holds a control character')
  return text
}

function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Dots that were hidden behind another encoding. */
function resolved(path: string): string {
  if (!path.includes('/.')) return path
  const out: string[] = []
  for (const segment of path.split('/').slice(1)) {
    if (segment === '..') out.pop()
    else if (segment !== '.') out.push(segment)
  }
  return `/${out.join('/')}`
}
