// What has been found of a command line so far: its effects, each once, and what else its reader wants to know.

import { unknownText } from '@sallyport/core'
import type { Access, Effect } from '@sallyport/core'
import { resolvePath } from './paths.js'

export interface SqlText {
  readonly dialect: 'postgres' | 'mysql'
  readonly text: string
}

/** A command line that touches more than this is not understood as a whole. */
const maxEffects = 2_000
/** Steps of the walk: a line of the longest length that is not made to be hard stays far below. */
const maxSteps = 100_000

export class Findings {
  readonly sql: SqlText[] = []
  readonly #effects = new Map<string, Effect>()
  #understood = true
  #steps = 0

  get understood(): boolean {
    return this.#understood
  }

  effects(): readonly Effect[] {
    return [...this.#effects.values()]
  }

  /** Whether there is room for another step; where there is not, the rest is unknown. */
  step(): boolean {
    this.#steps += 1
    if (this.#steps <= maxSteps && this.#effects.size < maxEffects) return true
    this.unknown()
    return false
  }

  /** Something could run here that cannot be told. */
  unknown(): void {
    this.#understood = false
    this.#put({ access: 'unknown', verb: 'run', object: '', program: unknownText, args: [unknownText], opaque: true })
  }

  program(found: {
    readonly access: Access
    readonly written: string
    readonly name: string
    readonly args: readonly string[]
    readonly options?: readonly string[]
    readonly opaque?: boolean
  }): void {
    const { access, written, name, args, options = [], opaque } = found
    this.#put({
      access,
      verb: 'run',
      object: written,
      program: name,
      args,
      ...(options.length === 0 ? {} : { options }),
      ...(opaque === true ? { opaque } : {}),
    })
  }

  /** `deep`: what lies below is touched as well. */
  file(access: Access, verb: string, path: string, directories: readonly string[], deep = false): void {
    if (path === '-' || /^\/dev\/(null|zero|full|tty|stdin|stdout|stderr|fd\/\d+|u?random)$/.test(path)) return
    for (const file of resolvePath(path, directories)) {
      this.#put({ access, verb, object: file, file })
      if (deep && !file.endsWith(unknownText)) {
        const below = `${file === '/' ? '' : file}/${unknownText}`
        this.#put({ access, verb, object: below, file: below })
      }
    }
  }

  other(access: Access, verb: string, object: string): void {
    this.#put({ access, verb, object })
  }

  #put(effect: Effect): void {
    if (effect.opaque === true) this.#understood = false
    this.#effects.set(JSON.stringify(effect), effect)
  }
}
