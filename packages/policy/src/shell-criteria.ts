// The criteria about programs, their arguments and files: of commands, shells and file transfers.

import { unknownText } from '@sallyport/core'
import { leastSure, matchesAnyPartly, surest } from './unsure.js'
import type { Effect } from '@sallyport/core'
import type { EffectCriterion } from './criterion.js'
import type { Rule, What } from './schema.js'
import type { Certainty } from './unsure.js'

export function isOfShell(effect: Effect): boolean {
  return effect.program !== undefined || effect.file !== undefined
}

export function shellCriteria(what: What, then: Rule['then']): readonly EffectCriterion[] {
  const criteria: EffectCriterion[] = []
  const { programs, args, files } = what
  const add = (key: 'programs' | 'args' | 'files', values: readonly string[], holds: (effect: Effect) => Certainty): void => {
    criteria.push({ key, says: `${key} [${values.join(', ')}]`, holds: (effect) => orOpaque(holds(effect), effect) })
  }
  if (programs !== undefined) add('programs', programs, (effect) => programHolds(programs, effect))
  if (args !== undefined) add('args', args, (effect) => argsHold(args, effect, then))
  if (files !== undefined) add('files', files, (effect) => (effect.file === undefined ? 'no' : fileHolds(files, effect.file)))
  return criteria
}

/** What runs code that nobody knows could start any program, with any arguments, on any file. */
function orOpaque(certainty: Certainty, effect: Effect): Certainty {
  return certainty === 'no' && effect.opaque === true ? 'could' : certainty
}

/** By its name, or by the path it was called by. */
function programHolds(patterns: readonly string[], { program, object }: Effect): Certainty {
  if (program === undefined) return 'no'
  return surest([matchesAnyPartly(patterns, program), matchesAnyPartly(patterns, object)])
}

/** Any of them for a rule that restricts, in whichever spelling; every one of them, as written, for a rule that allows. */
function argsHold(patterns: readonly string[], { args, options }: Effect, then: Rule['then']): Certainty {
  if (args === undefined || args.length === 0) return 'no'
  if (then === 'allow') return leastSure(args.map((arg) => matchesAnyPartly(patterns, arg)))
  return surest([...args, ...(options ?? [])].map((arg) => matchesAnyPartly(patterns, arg)))
}

/** Where the home of a login can be: which of them it is, nobody has told us. */
const homes = [
  `/home/${unknownText}`,
  '/root',
  `/var/${unknownText}`,
  `/srv/${unknownText}`,
  `/opt/${unknownText}`,
  `/Users/${unknownText}`,
]

function fileHolds(patterns: readonly string[], file: string): Certainty {
  const certainty = matchesAnyPartly(patterns, file)
  if (certainty !== 'no') return certainty
  if (file === '~' || file.startsWith('~/')) {
    const could = homes.some((home) => matchesAnyPartly(patterns, home + file.slice(1)) !== 'no')
    return could ? 'could' : 'no'
  }
  const ofHome = patterns.filter((pattern) => pattern.startsWith('~/')).map((pattern) => pattern.slice(1))
  return homes.some(
    (home) =>
      matchesAnyPartly(
        ofHome.map((rest) => home.replace(unknownText, '*') + rest),
        file,
      ) !== 'no',
  )
    ? 'could'
    : 'no'
}
