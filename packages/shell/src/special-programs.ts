// Programs that need to be read each in its own way: shells, find, ssh, sed, dd, curl.

import { isUnknown } from './words.js'
import { readEvaluated } from './builtins.js'
import { anyFile, report } from './report.js'
import { sqlReaders } from './sql-programs.js'
import { transferReaders } from './transfer-programs.js'
import type { Findings } from './findings.js'
import type { Invocation, Place } from './place.js'

type Named = Invocation & { readonly name: string }
type Reader = (invocation: Named, found: Findings, place: Place) => void

/** `sh -c TEXT`, or a script in its input that the line itself holds; any other shell runs what nobody knows. */
const readShell: Reader = (invocation, found, place) => {
  const { name, args, input } = invocation
  let at = 0
  let text = false
  for (; at < args.length; at += 1) {
    const arg = args[at] ?? ''
    if (!/^[-+]/.test(arg) || arg === '-') break
    if (!/^[-+][ceuxlsf]+$|^--(noprofile|norc|posix|login)$/.test(arg)) return report(found, invocation, name, 'unknown', true)
    // A login shell and `-s` read more than they are given here.
    if (/^-[a-z]*c/.test(arg)) text = true
  }
  const script = args[at]
  if (text && script !== undefined) {
    report(found, invocation, name, 'read')
    return readEvaluated([script], found, place)
  }
  if (!text && script === undefined && input !== undefined && !isUnknown(input)) {
    report(found, invocation, name, 'read')
    return place.readScript(input, found, { ...place, depth: place.depth + 1 })
  }
  report(found, invocation, name, 'unknown', true)
}

const findActions = /^-(exec|execdir|ok|okdir)$/

/** Its places, and what it does to what it finds there. */
const readFind: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  if (args.some((arg) => arg.startsWith('\ufffd'))) found.unknown()
  const ends = args.findIndex((arg) => /^[-(!\ufffd]/.test(arg) && !/^-[HLPOD]/.test(arg))
  const starts = args.slice(0, ends < 0 ? args.length : ends).filter((arg) => !arg.startsWith('-'))
  const places = starts.length === 0 ? ['.'] : starts
  found.program({ access: args.includes('-delete') ? 'write' : 'read', written: invocation.written, name, args })
  for (const each of places) {
    found.file('read', 'list', each, place.directories, true)
    if (args.includes('-delete')) found.file('write', 'delete', each, place.directories, true)
  }
  for (const [index, arg] of args.entries()) {
    if (/^-f(print0?|printf|ls)$/.test(arg)) found.file('write', 'write', args[index + 1] ?? '\ufffd', place.directories)
    if (arg.startsWith('-files0-from')) found.unknown()
    if (!findActions.test(arg)) continue
    const end = args.findIndex((each, after) => after > index && (each === ';' || (each === '+' && args[after - 1] === '{}')))
    const [program = '', ...rest] = args
      .slice(index + 1, end < 0 ? args.length : end)
      .map((each) => each.replaceAll('{}', '\ufffd'))
    const directories = arg.endsWith('dir') ? ['\ufffd'] : place.directories
    place.invoke({ written: program, args: rest }, found, { ...place, directories })
    for (const each of places) if (rest.some(isUnknown)) found.file('unknown', 'use', each, place.directories, true)
  }
}

const sshValued = /[BbcDEeFIiJLlmOopQRSWw]/

/** A command for yet another machine is read like one for this. */
const readSsh: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  let at = 0
  let harmless = true
  for (; at < args.length; at += 1) {
    const arg = args[at] ?? ''
    if (isUnknown(arg)) harmless = false
    if (!arg.startsWith('-')) break
    const letter = arg.slice(1).search(sshValued)
    const option = letter < 0 ? '' : (arg[letter + 1] ?? '')
    if (option === '') continue
    const value = letter + 2 < arg.length ? arg.slice(letter + 2) : (args[(at += 1)] ?? '')
    // A proxy, a local command, a configuration file: any of them runs something here; a forward opens a way in or out.
    const plain =
      option === 'o'
        ? /^(BatchMode|ConnectTimeout|StrictHostKeyChecking|LogLevel|User|Port)[= ]/i.test(value)
        : /[bcilp]/.test(option)
    if (!plain || isUnknown(value)) harmless = false
  }
  const command = args.slice(at + 1)
  report(found, invocation, name, 'unknown', !harmless || command.length === 0)
  if (!harmless || command.length === 0) found.unknown()
  if (command.length > 0) readEvaluated(command, found, { ...place, directories: ['\ufffd'] })
}

const readSu: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  const at = args.findIndex((arg) => /^-[a-z]*c$|^--command$/.test(arg))
  const attached = args.find((arg) => arg.startsWith('--command='))
  const text = attached?.slice('--command='.length) ?? (at < 0 ? undefined : args[at + 1])
  report(found, invocation, name, 'admin', text === undefined)
  if (text === undefined || args.some((arg) => /^(-s|--shell)/.test(arg))) found.unknown()
  if (text !== undefined) readEvaluated([text], found, place)
}

/** `sed` can run and write: only scripts of plain substitutions, deletions and prints are known to do neither. */
const readSed: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  const inPlace = args.some((arg) => /^(-[a-zA-Z]*i|--in-place)/.test(arg))
  const others = args.filter((arg) => !arg.startsWith('-'))
  const named = args.some((arg) => /^(-[nErsuz]*e$|--expression|-f|--file)/.test(arg))
  const plain =
    !named &&
    /^(?:\d+|\$|\/[^/]*\/)?(?:,(?:\d+|\$|\/[^/]*\/))?(?:[pdq=]|s([/|#,:])(?:(?!\1|\\).|\\.)*\1(?:(?!\1|\\).|\\.)*\1[gpI0-9]*)$/.test(
      others[0] ?? '',
    )
  report(found, invocation, name, inPlace ? 'write' : plain ? 'read' : 'unknown', !plain)
  for (const path of plain ? others.slice(1) : others) {
    found.file('read', 'read', path, place.directories)
    if (inPlace || !plain) found.file('write', 'write', path, place.directories)
  }
}

const readDd: Reader = (invocation, found, place) => {
  report(found, invocation, invocation.name, 'write')
  for (const arg of invocation.args) {
    if (arg.startsWith('if=')) found.file('read', 'read', arg.slice(3), place.directories)
    else if (arg.startsWith('of=')) found.file('write', 'write', arg.slice(3), place.directories)
    else if (isUnknown(arg)) found.file('unknown', 'use', '\ufffd', place.directories)
  }
}

/** `-d @FILE`, `-d@FILE`, `-F name=@FILE;type=x`, `-F name=<FILE`, `--data-urlencode name@FILE`. */
const sentFile = /^(?:-[a-zA-Z#]+|--[a-z-]+=)?(?:[\w.-]*=?)[@<]([^;,]+)/

/** Of a `file:` address; curl reads what is escaped in it, and its braces and brackets as many addresses. */
function pathOf(url: string): string {
  const path = url.replace(/^file:(?:\/\/[^/]*)?/i, '')
  return /[%{}[\]]/.test(path) ? '\ufffd' : path
}

/** What it fetches or sends, and the files it takes that from or puts that in. */
const readCurl: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  const configured = args.some((arg) => /^(-[a-zA-Z#]*K|--config)/.test(arg))
  report(found, invocation, name, 'unknown', configured)
  for (const arg of args) {
    const url = /^(?:--url=)?([a-z]+:.*)$/is.exec(arg)?.[1]
    if (url !== undefined && /^[a-z]+:\/\//i.test(url)) found.other('unknown', 'fetch', url)
    if (url !== undefined && /^file:/i.test(url)) found.file('read', 'read', pathOf(url), place.directories)
    const sent = sentFile.exec(arg)?.[1]
    if (sent !== undefined) found.file('read', 'read', sent, place.directories)
  }
  anyFile(
    args.filter((arg) => !/^[a-z]+:\/\//i.test(arg)),
    found,
    place,
  )
  for (const [index, arg] of args.entries()) {
    const next = args[index + 1] ?? '\ufffd'
    if (/^(-[a-zA-Z#]*[oDc]|--output|--dump-header|--cookie-jar|--trace.*|--stderr)$/.test(arg))
      found.file('write', 'write', next, place.directories)
    if (/^(-[a-zA-Z#]*[OJ]|--remote-name.*)$/.test(arg)) found.file('write', 'write', '\ufffd', place.directories)
  }
}

/** `busybox rm x` is `rm x`. */
const readBox: Reader = (invocation, found, place) => {
  const [applet, ...rest] = invocation.args
  report(found, invocation, invocation.name, 'read', applet === undefined || applet.startsWith('-'))
  if (applet !== undefined) place.invoke({ written: applet, args: rest }, found, place)
}

/** `watch`: its arguments joined are a line of shell. */
const readWatch: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  const at = args.findIndex((arg, index) => !arg.startsWith('-') && !/^-(n|-interval)$/.test(args[index - 1] ?? ''))
  report(found, invocation, name, 'read', at < 0)
  if (at < 0) found.unknown()
  else readEvaluated(args.slice(at), found, place)
}

export const readers: ReadonlyMap<string, Reader> = new Map([
  ...transferReaders,
  ...sqlReaders,
  ...Object.entries<Reader>({
    sh: readShell,
    bash: readShell,
    dash: readShell,
    ash: readShell,
    zsh: readShell,
    ksh: readShell,
    find: readFind,
    ssh: readSsh,
    su: readSu,
    runuser: readSu,
    sed: readSed,
    dd: readDd,
    curl: readCurl,
    busybox: readBox,
    toybox: readBox,
    watch: readWatch,
  }),
])
