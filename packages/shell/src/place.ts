// Where in a text one is, and the two ways to go on from there. Programs run scripts and scripts run programs, so each is handed the other.

import type { Findings } from './findings.js'

export interface Invocation {
  /** The program as written, quotes and escapes resolved. */
  readonly written: string
  readonly args: readonly string[]
  /** What it reads, where the line itself holds it. */
  readonly input?: string | undefined
}

export interface Place {
  /** Where the command could be when it names a relative path. */
  readonly directories: readonly string[]
  /** Scripts inside the arguments of programs, inside one another. */
  readonly depth: number
  /** Programs that the operator vouches for, by name or by the path they are called by. */
  readonly trusted: readonly string[]
  readonly readScript: (text: string, found: Findings, place: Place) => void
  readonly invoke: (invocation: Invocation, found: Findings, place: Place) => void
}
