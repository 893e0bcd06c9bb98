// Where the options of a wrapper end and the command it runs begins, and how short options read one by one.

import type { Wrapper } from './programs.js'
import { isUnknown } from './words.js'

/** The words of the command that is run; undefined where that cannot be told; [] where there is none. */
export function innerCommand(wrapper: Wrapper, args: readonly string[]): readonly string[] | undefined {
  let at = 0
  for (; at < args.length; at += 1) {
    const arg = args[at] ?? ''
    if (isUnknown(arg) && (arg.startsWith('\ufffd') || arg.startsWith('-'))) return undefined
    if (arg === '--') {
      at += 1
      break
    }
    if (wrapper.assignments === true && /^[A-Za-z_]\w*=/.test(arg)) continue
    if (!arg.startsWith('-') || arg === '-') break
    const taken = optionTakes(wrapper, arg)
    if (taken === undefined) return undefined
    at += taken
  }
  while (wrapper.assignments === true && /^[A-Za-z_]\w*=/.test(args[at] ?? '')) at += 1
  return args.slice(at + (wrapper.operands ?? 0))
}

/** The values of the option that names a file of the wrapper's own, among its own arguments. */
export function ownFiles({ file, flags }: Wrapper, own: readonly string[]): readonly string[] {
  if (file === undefined) return []
  const short = new RegExp(`^-[${flags}]*${file.short}(.*)$`, 's')
  return own.flatMap((arg, index) => {
    const [, long] = arg.split(`--${file.long}`)
    const value = arg.startsWith('--') ? (long === undefined ? undefined : long.slice(1)) : short.exec(arg)?.[1]
    return value === undefined ? [] : [value === '' ? (own[index + 1] ?? '\ufffd') : value]
  })
}

/** How many of the following arguments belong to this option; undefined where the option is not known. */
function optionTakes(wrapper: Wrapper, arg: string): number | undefined {
  if (arg.startsWith('--')) {
    const [name = '', value] = arg.slice(2).split('=', 2)
    if (wrapper.longFlags?.includes(name) === true) return 0
    if (wrapper.longValued?.includes(name) === true) return value === undefined ? 1 : 0
    return undefined
  }
  for (let index = 1; index < arg.length; index += 1) {
    const letter = arg[index] ?? ''
    if (wrapper.valued.includes(letter)) return index + 1 < arg.length ? 0 : 1
    if (!wrapper.flags.includes(letter)) return undefined
  }
  return 0
}

const longNames: Readonly<Record<string, string>> = {
  recursive: '-r',
  force: '-f',
  'no-preserve-root': '--no-preserve-root',
  all: '-a',
}

/** `-r -f` for `-rf`; `-r` for `--recursive`, for what GNU's programs take for it, and for `-R`. */
export function plainOptions(args: readonly string[]): readonly string[] {
  const found = new Set<string>()
  for (const arg of args) {
    if (arg === '--') break
    if (arg.startsWith('--')) {
      const name = arg.slice(2).split('=', 1)[0] ?? ''
      for (const [long, short] of Object.entries(longNames)) if (long.startsWith(name)) found.add(short)
    } else if (/^-[A-Za-z0-9]{2,}/.test(arg)) for (const letter of arg.slice(1, 12)) found.add(`-${letter}`)
    if (/^-[A-Za-z]*R/.test(arg)) found.add('-r')
  }
  return [...found]
}
