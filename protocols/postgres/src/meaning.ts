// What a held message will do, put together from its own text and from what names it runs.

import type { Effect } from '@sallyport/core'
import type { Understanding } from '@sallyport/sql'

/** One thing a name may run. */
export interface Meaning {
  readonly effects: readonly Effect[]
  readonly masksKey: string
  readonly text: string
}

/** A statement as it will be judged. */
export interface Meant {
  readonly understanding: Understanding
  readonly effects: readonly Effect[]
  /** What names it runs: their masks were applied when they were made, and must be today's. */
  readonly runs: readonly Meaning[]
  readonly refusal?: string
}

export function unknownMeaning(verb: string, name: string): Meaning {
  return { effects: [{ access: 'unknown', verb, object: name }], masksKey: '', text: `${verb} ${name}` }
}

export function opaque(text: string, verb: string): Meant {
  return meaning([{ effects: [{ access: 'unknown', verb, object: '' }], masksKey: '', text }])
}

export function meaning(runs: readonly Meaning[]): Meant {
  const effects = runs.length === 1 ? (runs[0] as Meaning).effects : runs.flatMap((run) => run.effects)
  const understanding: Understanding = {
    effects,
    text: [...new Set(runs.map((run) => run.text))].join(' or '),
    understood: false,
    empty: false,
    prepares: [],
    onlyPrepares: false,
    executes: [],
    declares: [],
    fetches: [],
    deallocates: [],
    addsSchemas: [],
    changesCatalog: false,
    copiesIn: false,
  }
  return { understanding, effects, runs }
}
