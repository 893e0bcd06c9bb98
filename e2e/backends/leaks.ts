// Looks for planted values wherever they could have come out.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { plantedTexts, spellings } from './samples.js'

/** The planted values found in these bytes, in any of their spellings. */
export function leaksIn(bytes: Buffer | string, values: readonly string[] = plantedTexts): readonly string[] {
  const haystack = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  return values.filter((value) => spellings(value).some((spelling) => haystack.includes(spelling)))
}

/** Files under a directory that hold one of these values as it is, as `path: value`. Sockets and unreadable files are passed over. */
export function leaksUnder(directory: string, values: readonly string[]): readonly string[] {
  const found: string[] = []
  for (const entry of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, entry)
    try {
      if (!statSync(path).isFile()) continue
      const bytes = readFileSync(path)
      found.push(...values.filter((value) => bytes.includes(value)).map((value) => `${path}: ${value}`))
    } catch {
      // gone in the meantime (the database's own files come and go)
    }
  }
  return found
}
