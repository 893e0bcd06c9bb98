// One program with its arguments: what starting it would do, and what it would start in turn.

import { matchesAnyName } from '@sallyport/core'
import * as known from './programs.js'
import { readBuiltin } from './builtins.js'
import { readFiles } from './file-programs.js'
import { innerCommand, ownFiles } from './options.js'
import { fileCandidates } from './paths.js'
import { anyFile, report } from './report.js'
import { readers as special } from './special-programs.js'
import { isUnknown } from './words.js'
import type { Findings } from './findings.js'
import type { Invocation, Place } from './place.js'

const unknownPlace = ['\ufffd']

export function invoke(invocation: Invocation, found: Findings, place: Place): void {
  const { written, args } = invocation
  if (written === '' || !found.step()) return
  const name = written.slice(written.lastIndexOf('/') + 1)
  if (isUnknown(written)) {
    found.unknown()
    found.program({ access: 'unknown', written, name, args, opaque: true })
    return
  }
  const vouched = isVouched(written, name, place)
  if (written.includes('/') && !known.isSystemPath(written) && !vouched) {
    report(found, invocation, name, 'unknown', true)
    return
  }
  if (!written.includes('/') && readBuiltin(invocation, found, place)) return
  const wrapper = known.wrappers.get(name)
  if (wrapper !== undefined) return readWrapper(name, wrapper, invocation, found, place)
  const reader = special.get(name)
  if (reader !== undefined) return reader({ ...invocation, name }, found, place)
  if (vouched) return readVouched(name, invocation, found, place)
  if (known.isOpaque(name, invocation.args)) return report(found, invocation, name, 'unknown', true)
  readPlain(name, invocation, found, place)
}

/** A name vouches for the program of that name in the system's directories; any other is vouched for by its whole path. */
function isVouched(written: string, name: string, { trusted }: Place): boolean {
  const byName = !written.includes('/') || known.isSystemPath(written)
  return (
    (byName && matchesAnyName(trusted, name)) ||
    (written.startsWith('/') &&
      !written.includes('/../') &&
      matchesAnyName(
        trusted.filter((each) => each.startsWith('/')),
        written,
      ))
  )
}

/** It does no more than read what it is given: so the operator says. */
function readVouched(name: string, invocation: Invocation, found: Findings, place: Place): void {
  report(found, invocation, name, 'read')
  for (const arg of invocation.args)
    for (const path of fileCandidates(arg)) found.file('read', 'use', path, place.directories, true)
}

function readPlain(name: string, invocation: Invocation, found: Findings, place: Place): void {
  if (known.quietPrograms.has(name)) report(found, invocation, name, 'read')
  else if (known.adminPrograms.has(name)) {
    report(found, invocation, name, 'admin')
    anyFile(invocation.args, found, place)
  } else if (known.readers.has(name) || known.writers.has(name) || known.copiers.has(name)) {
    report(found, invocation, name, known.readers.has(name) && !known.readersThatMayWrite.has(name) ? 'read' : 'write')
    readFiles(name, invocation.args, found, place)
  } else {
    report(found, invocation, name, 'unknown')
    anyFile(invocation.args, found, place)
  }
}

/** `sudo rm x`: the wrapper itself, and what it runs. */
function readWrapper(name: string, wrapper: known.Wrapper, invocation: Invocation, found: Findings, place: Place): void {
  const { args, input } = invocation
  if (name === 'command' && args.some((arg) => /^-[pvV]*[vV]/.test(arg))) return report(found, invocation, name, 'read')
  const inner = innerCommand(wrapper, args)
  report(found, invocation, name, name === 'sudo' || name === 'doas' || name === 'chroot' ? 'admin' : 'read', inner === undefined)
  for (const arg of args) {
    if (!/^[A-Za-z_]\w*=/.test(arg)) continue
    if (known.isTellingVariable(arg.slice(0, arg.indexOf('=')))) found.unknown()
  }
  if (inner === undefined) return found.unknown()
  const own = args.slice(0, args.length - inner.length)
  for (const path of ownFiles(wrapper, own)) found.file(wrapper.file?.access ?? 'unknown', 'use', path, place.directories)
  // Below another root no path is what it says.
  if (name === 'chroot' || (name === 'sudo' && own.some((arg) => /^(-[a-zA-Z]*R|--chroot)/.test(arg)))) found.unknown()
  const moved = args.some((arg) => /^(-C|-D|-[a-zA-Z]*[CDR]|--chdir|--chroot)/.test(arg)) ? unknownPlace : place.directories
  const [program, ...rest] = inner
  if (program === undefined) {
    // `sudo -i`, `chroot /x`: a shell; `exec >log`, `xargs`, `env`: nothing of the sort.
    if (name === 'sudo' || name === 'doas') found.unknown()
    return
  }
  if (name === 'flock') found.file('write', 'use', own.at(-1) ?? '\ufffd', place.directories)
  if (name === 'flock' && (program === '-c' || program === '--command')) return found.unknown()
  const given = name === 'xargs' ? suppliedBy(own, inner) : [program, ...rest]
  invoke({ written: given[0] ?? '', args: given.slice(1), input: name === 'xargs' ? undefined : input }, found, {
    ...place,
    directories: moved,
  })
}

/** `xargs` puts what it reads at the end, or with `-I MARK` in place of the mark. */
function suppliedBy(own: readonly string[], inner: readonly string[]): readonly string[] {
  const at = own.findIndex((arg) => /^(-[0-9a-zA-Z]*[Ii]|--replace)/.test(arg))
  if (at < 0) return [...inner, '\ufffd']
  const option = own[at] ?? ''
  const mark = /^-[0-9a-zA-Z]*I$/.test(option)
    ? (own[at + 1] ?? '{}')
    : option.replace(/^(-[0-9a-zA-Z]*[Ii]|--replace=?)/, '') || '{}'
  return inner.map((word) => word.replaceAll(mark, '\ufffd'))
}
