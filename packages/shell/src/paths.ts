// Paths as rules see them: absolute, or `~/...` below the login's home, without `.` and `..`. `�` stands for what cannot be known.

import { unknownText } from '@sallyport/core'

/** Resolved against each directory the command could be in. */
export function resolvePath(path: string, directories: readonly string[]): readonly string[] {
  if (path.startsWith('/') || path === '~' || path.startsWith('~/') || path.startsWith(unknownText)) return [normalise(path)]
  return directories.map((directory) => normalise(`${directory}/${path}`))
}

/** Without `.`, `..` and doubled slashes. What climbs out of a directory that is not known could be anywhere. */
function normalise(path: string): string {
  const absolute = path.startsWith('/')
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') kept.push(part)
    else if (absolute && kept.length === 0) continue
    else if (kept.length <= (absolute ? 0 : 1) || kept.at(-1)?.includes(unknownText) === true) return unknownText
    else kept.pop()
  }
  return absolute ? `/${kept.join('/')}` : kept.join('/')
}

/** Every way in which an argument of a program that is not known could name a file: whole, after `=`, or behind a short option. */
export function fileCandidates(arg: string): readonly string[] {
  const found = new Set<string>()
  if (!arg.startsWith('-')) found.add(arg)
  const value = arg.indexOf('=')
  if (value >= 0 && value + 1 < arg.length) found.add(arg.slice(value + 1))
  if (/^-[A-Za-z0-9][^-]/.test(arg) && /[/~\ufffd]/.test(arg)) found.add(arg.slice(2))
  if (arg.startsWith('@') && arg.length > 1) found.add(arg.slice(1))
  return [...found]
}
