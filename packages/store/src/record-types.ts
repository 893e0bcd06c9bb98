// What the shipper writes and what replay and verify read, as this room states it; the recorder states the same shapes on its side.
// Times are microseconds since the Unix epoch, hashes are bytes.

import type { Effect, Mask, StatementKind } from '@sallyport/core'

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

export interface SessionProgress {
  readonly id: string
  readonly spoolNumber: number
  readonly frames: number
  readonly blocks: number
  readonly hash: Uint8Array
  readonly statements: number
  readonly denied: number
  readonly bytes: number
  readonly highestStatement: number
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

export interface StatementPatch {
  readonly session: string
  readonly number: number
  readonly ruling: StatementRuling | null
  readonly outcome: StatementOutcome | null
}

export interface StatementRow extends StatementPatch {
  readonly at: number
  readonly kind: StatementKind
  readonly text: string
  readonly parameters: readonly (string | null)[]
  readonly effects: readonly Effect[]
  readonly held: boolean
  readonly provenance: string | null
}

export interface Block {
  readonly session: string
  readonly number: number
  readonly firstFrame: number
  readonly frames: number
  readonly firstAt: number
  readonly previous: Uint8Array
  readonly hash: Uint8Array
  readonly encoding: 'raw' | 'brotli'
  readonly rawBytes: number
  readonly bytes: Uint8Array
}

export interface Checkpoint {
  readonly key: string
  readonly number: number
  readonly session: string
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

export interface ShippedState {
  readonly position: number
  readonly live: readonly SessionProgress[]
  readonly checkpoint: { readonly number: number; readonly body: string } | null
}

export interface FrameSink {
  open(node: { readonly name: string; readonly key: string; readonly publicKey: string }): Promise<ShippedState>
  write(batch: ShippedBatch): Promise<void>
  close(): Promise<void>
}
