// What verify found, in words an auditor can act on.

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
  readonly findings: readonly Finding[]
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
