// The shell's own words. Answers whether the word is one of them and nothing is left to be said.

import { evaluatingWords, meaningChangers, shellWords, isTellingVariable } from './programs.js'
import { isUnknown } from './words.js'
import type { Findings } from './findings.js'
import type { Invocation, Place } from './place.js'

/** A subscript that runs something where it is evaluated. */
const evaluated = /\$\(|`|\$\{|\$\[/

export function readBuiltin({ written, args }: Invocation, found: Findings, place: Place): boolean {
  if (meaningChangers.has(written)) {
    if (args.length > 0 || written === 'alias') found.unknown()
    return true
  }
  if (written === 'eval' || written === 'trap') {
    readEvaluated(written === 'eval' ? args : args.slice(0, 1), found, place)
    return true
  }
  if (evaluatingWords.has(written)) {
    if (args.some((arg) => evaluated.test(arg) || (isUnknown(arg) && /^(let|printf)$/.test(written)))) found.unknown()
    if (written === 'printf' && args.some((arg) => arg.startsWith('-v') || arg.startsWith('\ufffd'))) found.unknown()
  }
  if (/^(export|declare|typeset|local|readonly|read|mapfile|readarray|unset)$/.test(written)) {
    if (
      args.some(
        (arg) => isUnknown(nameIn(arg)) || isTellingVariable(nameIn(arg)) || (/^-[a-zA-Z]*[nC]/.test(arg) && written !== 'read'),
      )
    )
      found.unknown()
  }
  if (written === 'set' || written === 'shopt') {
    // `set -e` and its like; anything else can change what the rest of the text means.
    if (args.some((arg) => !/^([-+][euxo]+|errexit|nounset|xtrace|pipefail|-[su]|nullglob|globstar|--)$/.test(arg))) found.unknown()
    return true
  }
  return shellWords.has(written)
}

const nameIn = (arg: string): string => arg.split('=', 1)[0]?.replace(/\[.*|\+$/, '') ?? ''

/** The arguments joined are a script of their own. What is not known of it can be anything. */
export function readEvaluated(args: readonly string[], found: Findings, place: Place): void {
  const text = args.filter((arg) => arg !== '--').join(' ')
  if (isUnknown(text)) found.unknown()
  if (text !== '' && text !== '-') place.readScript(text, found, { ...place, depth: place.depth + 1 })
}
