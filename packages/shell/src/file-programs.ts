// Programs of which it is known that they only read or write the files they name.

import { copiers, readers, readersThatMayWrite, recursive, verbOf } from './programs.js'
import { isUnknown } from './words.js'
import { fileCandidates } from './paths.js'
import type { Findings } from './findings.js'
import type { Place } from './place.js'

const alwaysDeep = new Set(['mv', 'du', 'tree'])

/** The first operand is not a file: a mode, an owner, a pattern. */
const firstIsNot = new Set(['chmod', 'chown', 'chgrp', 'grep', 'egrep', 'fgrep', 'zgrep', 'jq', 'tr', 'chattr', 'setfacl'])

export function readFiles(name: string, args: readonly string[], found: Findings, { directories }: Place): void {
  const { operands, values } = split(name, args)
  const deep = isDeep(name, args)
  const write = (path: string): void => found.file('write', verbOf.get(name) ?? 'write', path, directories, deep)
  const read = (path: string): void => found.file('read', 'read', path, directories, deep)
  // Files whose names stand in a file.
  if (readers.has(name) && args.some((arg) => arg.startsWith('--files0'))) read('\ufffd')
  if (readersThatMayWrite.has(name)) {
    for (const path of operands) read(path)
    for (const path of [...operands.slice(1), ...values]) found.file('unknown', 'write', path, directories)
    return
  }
  if (readers.has(name)) {
    for (const path of [...operands, ...values]) read(path)
    // Without a place, these show the one they are in.
    if (/^(ls|dir|vdir|du|tree)$/.test(name) && operands.length === 0) read('.')
    return
  }
  if (copiers.has(name)) return readCopy(name, { operands, values, deep }, found, directories)
  for (const path of [...operands, ...values]) write(path)
}

/** Whether whole trees are meant: always, or by an option; one that cannot be known may be it. */
function isDeep(name: string, args: readonly string[]): boolean {
  if (alwaysDeep.has(name)) return true
  return recursive.has(name) && args.some((arg) => /^(-[a-zA-Z]*[rRa]|--(r|a|di)|-?\ufffd)/.test(arg))
}

interface Copy {
  readonly operands: readonly string[]
  readonly values: readonly string[]
  readonly deep: boolean
}

/** The last operand is written, or the directory of `-t`; where that cannot be told, all of them are. */
function readCopy(name: string, { operands, values, deep }: Copy, found: Findings, directories: readonly string[]): void {
  const verb = verbOf.get(name) ?? 'write'
  const write = (path: string, how = verb): void => found.file('write', how, path, directories, deep)
  for (const path of values.length > 0 ? operands : operands.slice(0, -1)) {
    found.file('read', 'read', path, directories, deep)
    if (name === 'mv' || values.length > 0) write(path)
  }
  const last = operands.at(-1)
  if (last !== undefined) write(last, verb === 'rename' ? 'write' : verb)
  // A directory takes files by their own names.
  if (last !== undefined && values.length === 0) found.file('write', 'write', `${last}/\ufffd`, directories)
  for (const path of values) found.file('write', 'write', path, directories, true)
}

/** Operands, and what options hold: `-t DIR` and `-o FILE` are seen both ways. */
function split(name: string, args: readonly string[]): { operands: readonly string[]; values: readonly string[] } {
  const operands: string[] = []
  const values: string[] = []
  let ended = false
  let previous = ''
  for (const arg of args) {
    if (!ended && arg === '--') ended = true
    else if (!ended && arg.startsWith('-') && arg !== '-') values.push(...fileCandidates(arg))
    else {
      if (/^-[a-zA-Z]*[to]$|^--(target-directory|output)$/.test(previous) && !ended) values.push(arg)
      operands.push(arg)
    }
    previous = arg
  }
  const first = operands[0] ?? ''
  const patternGiven = args.some((arg) => /^(-[a-zA-Z]*[ef]|--(regexp|file|reference))/.test(arg))
  return { operands: firstIsNot.has(name) && !patternGiven && !isUnknown(first) ? operands.slice(1) : operands, values }
}
