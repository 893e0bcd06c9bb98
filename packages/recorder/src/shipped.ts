// What goes into the database and comes out again, as plain data: the rows, blocks and checkpoints, and the two ports that
// `cli` fills with the store. Times are microseconds since the Unix epoch, hashes are 32 bytes of SHA-256.

import type { Effect, Mask, StatementKind } from '@sallyport/core'

/** Who, where and when: what a session's first frame says. */
export interface SessionFacts {
  readonly id: string
  readonly node: string
  readonly identity: { readonly id: string; readonly name: string; readonly kind: string; readonly groups: readonly string[] }
  readonly onBehalfOf: string | null
  readonly target: string
  readonly protocol: string
  readonly client: { readonly address: string; readonly application: string | null; readonly tls: boolean }
  readonly startedAt: number
}

/** How far a session has been shipped; written with every batch, so that shipping can go on from it after any crash. */
export interface SessionProgress {
  readonly id: string
  /** The session's number in its node's spool. */
  readonly spoolNumber: number
  readonly frames: number
  readonly blocks: number
  readonly hash: Uint8Array
  /** Statements other than `connect`, and how many rulings denied. */
  readonly statements: number
  readonly denied: number
  readonly bytes: number
  /** The highest statement number that has a row; -1 where there is none. */
  readonly highestStatement: number
  /** Frames that a checkpoint covers. */
  readonly checkpointed: number
  readonly lastAt: number
  readonly endedAt: number | null
  readonly outcome: string | null
}

export interface StatementRuling {
  readonly kind: 'allow' | 'mask' | 'deny'
  readonly cause: string | null
  readonly rule: string | null
  readonly reason: string | null
  readonly reviewers: readonly string[]
  readonly masks: readonly Mask[]
  readonly forwarded: string | null
}

export interface StatementOutcome {
  readonly rows: number
  readonly bytes: number
  readonly durationMs: number
  readonly error: string | null
}

export interface StatementRow {
  readonly session: string
  readonly number: number
  readonly at: number
  readonly kind: StatementKind
  readonly text: string
  readonly parameters: readonly (string | null)[]
  readonly effects: readonly Effect[]
  readonly held: boolean
  readonly provenance: string | null
  readonly ruling: StatementRuling | null
  readonly outcome: StatementOutcome | null
}

/** What a later batch adds to a row that is already in the database. */
export interface StatementPatch {
  readonly session: string
  readonly number: number
  readonly ruling: StatementRuling | null
  readonly outcome: StatementOutcome | null
}

/** Frames of one session, one after another as README.md lays them out. */
export interface Block {
  readonly session: string
  /** 1, 2, 3 ... within the session. */
  readonly number: number
  /** Number of the first frame; a session's first is 1. */
  readonly firstFrame: number
  readonly frames: number
  readonly firstAt: number
  /** The chain's hash before the first frame and after the last. */
  readonly previous: Uint8Array
  readonly hash: Uint8Array
  readonly encoding: 'raw' | 'brotli'
  readonly rawBytes: number
  readonly bytes: Uint8Array
}

export interface Checkpoint {
  /** Which node key signed: the first 16 hex digits of the SHA-256 of the public key (SPKI, DER). */
  readonly key: string
  readonly number: number
  readonly session: string
  /** The canonical text that is signed. */
  readonly body: string
  readonly signature: Uint8Array
}

export interface ShippedBatch {
  readonly from: number
  readonly to: number
  readonly opened: readonly SessionFacts[]
  readonly progress: readonly SessionProgress[]
  readonly statements: readonly StatementRow[]
  readonly patches: readonly StatementPatch[]
  readonly blocks: readonly Block[]
  readonly checkpoints: readonly Checkpoint[]
}

/** Where a node stands: how much of its spool is in the database, and the sessions that have not ended there. */
export interface ShippedState {
  readonly position: number
  readonly live: readonly SessionProgress[]
  /** The newest checkpoint of this key. */
  readonly checkpoint: { readonly number: number; readonly body: string } | null
}

export interface ShippingNode {
  readonly name: string
  readonly key: string
  /** PEM. */
  readonly publicKey: string
}

/** Where the shipper puts what it made. `write` is one transaction, refused where the node does not stand at `from`. */
export interface FrameSink {
  open(node: ShippingNode): Promise<ShippedState>
  write(batch: ShippedBatch): Promise<void>
  close(): Promise<void>
}

export type BlockLink = Pick<Block, 'number' | 'firstFrame' | 'frames' | 'previous' | 'hash'>

/** What replay and verify read. Everything in the order of its number. */
export interface StillSource {
  session(id: string): Promise<{ readonly facts: SessionFacts; readonly progress: SessionProgress } | undefined>
  /** Every session that a session row, a block or a checkpoint speaks of. */
  sessionIds(): AsyncIterable<string>
  links(session: string): Promise<readonly BlockLink[]>
  blocks(session: string): AsyncIterable<Block>
  /** Rows of these statement numbers, both ends included. */
  statements(session: string, from: number, to: number): Promise<readonly StatementRow[]>
  countStatements(session: string): Promise<number>
  checkpointsOf(session: string): AsyncIterable<Checkpoint>
  /** Every checkpoint a key signed. */
  chain(key: string): AsyncIterable<Checkpoint>
  keys(): Promise<readonly { readonly id: string; readonly node: string; readonly publicKey: string }[]>
}

export interface FrameSource extends StillSource {
  /** Reads as of one moment, whatever the shipper writes meanwhile. */
  snapshot<T>(work: (still: StillSource) => Promise<T>): Promise<T>
}
