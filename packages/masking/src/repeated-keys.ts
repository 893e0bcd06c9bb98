// Two parsers can read one text differently where a key stands twice, or where one of them does not tell `Name` from `name`. Such a text
// is not understood.

import { JsonWalk } from './json-walk.js'
import { Unmaskable } from './unmaskable.js'

/** Whether any object of the text has a key twice, letters of either case being the same; a text that is no JSON counts as having one. */
export function repeatsKeys(text: Buffer): boolean {
  const open: (Set<string> | undefined)[] = []
  let repeated = false
  const walk = new JsonWalk({
    open: (_path, depth) => {
      open[depth] = undefined
      return undefined
    },
    key: (name, depth) => {
      const seen = (open[depth] ??= new Set())
      const plain = name.toLowerCase()
      if (seen.has(plain)) repeated = true
      seen.add(plain)
      return undefined
    },
  })
  try {
    walk.push(text)
    walk.end()
  } catch (error) {
    if (error instanceof Unmaskable) return true
    throw error
  }
  return repeated
}
