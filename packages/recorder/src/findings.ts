// What verify found, in words an auditor can act on.

import { isDeepStrictEqual } from 'node:util'
import type { SessionFacts } from './shipped.js'

export type FindingKind =
  /** Bytes, a row or a checkpoint differ from what was recorded and signed. */
  | 'altered'
  /** Something that the rest of the record proves was there is gone. */
  | 'removed'
  /** Blocks are there, but not in their order. */
  | 'reordered'
  /** Something is there that nothing recorded speaks of. */
  | 'added'
  /** Frames that no valid checkpoint covers though one must. */
  | 'unsigned'
  /** What was asked for is not in the file. */
  | 'missing'

export interface Finding {
  readonly kind: FindingKind
  /** Absent where it concerns a node's chain as a whole. */
  readonly session?: string
  readonly place: string
  readonly message: string
}

export interface SessionVerdict {
  readonly session: string
  /** `live`: whole as far as it has been shipped. */
  readonly state: 'whole' | 'live' | 'altered'
  readonly frames: number
  /** Frames that valid checkpoints cover. */
  readonly signed: number
  /** Who, where and when: from the frames, never from a row that was derived of them. Null where the first frame is not there. */
  readonly facts: SessionFacts | null
  /** From the frames too. */
  readonly statements: number
  readonly endedAt: number | null
  readonly findings: readonly Finding[]
}

/** The names whose values differ, and those that one of the two does not have. Values may be large, so only names are told. */
export function differences(expected: object, found: object): string[] {
  const [ours, theirs] = [new Map(Object.entries(expected)), new Map(Object.entries(found))]
  const names = [...new Set([...ours.keys(), ...theirs.keys()])]
  return names.filter((name) => ours.has(name) !== theirs.has(name) || !isDeepStrictEqual(ours.get(name), theirs.get(name)))
}

/** One session can have as many findings as blocks; nobody reads more than these. */
export const MOST_FINDINGS = 1_000

export class Findings {
  readonly #found: Finding[] = []
  readonly #session: string | undefined

  constructor(session?: string) {
    this.#session = session
  }

  get list(): readonly Finding[] {
    return this.#found
  }

  add(kind: FindingKind, place: string, message: string): void {
    if (this.#found.length >= MOST_FINDINGS) return
    this.#found.push(this.#session === undefined ? { kind, place, message } : { kind, session: this.#session, place, message })
  }
}
