// A session as lines that prove themselves: whoever has them, and the public key of the node that recorded it, needs neither gateway nor
// database to tell whether a byte was changed. README.md describes the lines for other verifiers.

import type { Block, Checkpoint, FrameSource, SessionFacts, SessionProgress, StatementRow } from './shipped.js'

export const EVIDENCE_TITLE = 'sallyport-evidence-1'

export interface EvidenceKey {
  readonly id: string
  readonly node: string
  /** PEM. */
  readonly publicKey: string
}

/** Bytes as text: hashes in hex, the rest in base64. */
type Written<T, Names extends keyof T> = Omit<T, Names> & Readonly<Record<Names, string>>

export type EvidenceLine =
  | { readonly key: EvidenceKey }
  | { readonly session: { readonly facts: SessionFacts; readonly progress: Written<SessionProgress, 'hash'> } }
  | { readonly checkpoint: Written<Checkpoint, 'signature'> }
  | { readonly block: Written<Block, 'previous' | 'hash' | 'bytes'> }
  | { readonly statement: StatementRow }

/** Statements may each be a quarter of a megabyte. */
const STATEMENTS_A_PAGE = 100

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** Of a session that has ended: nothing of it changes any more, so it is read a page at a time. Answers nothing for one that is not there. */
export async function* evidenceOf(
  id: string,
  source: Pick<FrameSource, 'session' | 'blocks' | 'statements' | 'checkpointsOf' | 'keys'>,
): AsyncGenerator<EvidenceLine> {
  const found = await source.session(id)
  if (found === undefined) return
  const { facts, progress } = found
  yield { session: { facts, progress: { ...progress, hash: hex(progress.hash) } } }
  const signers = new Set<string>()
  for await (const checkpoint of source.checkpointsOf(id)) {
    signers.add(checkpoint.key)
    yield { checkpoint: { ...checkpoint, signature: base64(checkpoint.signature) } }
  }
  for (const key of await source.keys()) if (signers.has(key.id)) yield { key }
  for await (const block of source.blocks(id))
    yield { block: { ...block, previous: hex(block.previous), hash: hex(block.hash), bytes: base64(block.bytes) } }
  for (let from = 0; from <= progress.highestStatement; from += STATEMENTS_A_PAGE)
    for (const statement of await source.statements(id, from, from + STATEMENTS_A_PAGE - 1)) yield { statement }
}
