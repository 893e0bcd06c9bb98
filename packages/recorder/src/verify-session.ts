// Proves one session whole: its blocks in order, each frame's hash, its checkpoints, and the rows that were derived from it.

import { Malformed } from '@sallyport/core'
import type { KeyObject } from 'node:crypto'
import { chainLink, chainStart } from './chain.js'
import { isSigned, parseCheckpoint } from './checkpoint.js'
import type { CheckpointFacts } from './checkpoint.js'
import { decodeFrame, framesOf } from './decode.js'
import { differences, Findings } from './findings.js'
import type { SessionVerdict } from './findings.js'
import { openBlock } from './replay.js'
import { deriveRows, newChanges, newTally } from './rows.js'
import type { Tally } from './rows.js'
import type { Block, BlockLink, FrameSource, SessionFacts, StillSource } from './shipped.js'
import { StatementCheck } from './verify-statements.js'

/** The public key that a checkpoint's key id stands for, or undefined where nobody knows it. */
export type KeyOf = (key: string) => KeyObject | undefined

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

interface Walk {
  readonly id: string
  readonly findings: Findings
  readonly statements: StatementCheck
  readonly tally: Tally
  /** Hashes that checkpoints sign, by the number of frames. */
  readonly signed: ReadonlyMap<number, CheckpointFacts>
  readonly links: readonly BlockLink[]
  facts: SessionFacts | undefined
  frames: number
  blocks: number
  hash: Buffer
  /** Frames up to the last checkpoint that holds. */
  covered: number
}

async function readCheckpoints(
  id: string,
  source: StillSource,
  keyOf: KeyOf,
  findings: Findings,
): Promise<Map<number, CheckpointFacts>> {
  const signed = new Map<number, CheckpointFacts>()
  for await (const checkpoint of source.checkpointsOf(id)) {
    const place = `checkpoint ${checkpoint.number} of key ${checkpoint.key}`
    const key = keyOf(checkpoint.key)
    if (key === undefined) {
      findings.add('unsigned', place, 'nobody knows the key that signed it')
      continue
    }
    if (!isSigned(checkpoint, key)) {
      findings.add('altered', place, 'its signature does not fit')
      continue
    }
    const facts = parseCheckpoint(checkpoint.body)
    if (facts.session !== id || checkpoint.session !== id || facts.number !== checkpoint.number || facts.key !== checkpoint.key) {
      findings.add('altered', place, 'it was signed for another session or place')
    } else signed.set(facts.frames, facts)
  }
  return signed
}

/** Where a block does not follow the one before it: told by the hashes the blocks themselves carry. */
function checkPlace(walk: Walk, block: Block): void {
  const place = `block ${block.number}`
  if (block.number !== walk.blocks + 1) {
    const missing = block.number === walk.blocks + 2 ? `${walk.blocks + 1} is` : `${walk.blocks + 1} to ${block.number - 1} are`
    walk.findings.add('removed', place, `block ${missing} gone, with frames from ${walk.frames + 1} on`)
    return
  }
  if (block.firstFrame !== walk.frames + 1) walk.findings.add('altered', place, `it says it begins at frame ${block.firstFrame}`)
  if (hex(block.previous) === hex(walk.hash)) return
  const elsewhere = walk.links.find((link) => hex(link.previous) === hex(walk.hash))
  if (elsewhere === undefined) walk.findings.add('altered', place, `it does not follow what comes before it, frame ${walk.frames}`)
  else walk.findings.add('reordered', place, `what stands here as block ${elsewhere.number} follows frame ${walk.frames}`)
}

/** Whether the block's frames are those its own hash is of, whatever place they stand in. */
async function checkFrames(walk: Walk, block: Block): Promise<void> {
  const first = block.firstFrame
  const place = `block ${block.number}, frames ${first} to ${first + block.frames - 1}`
  if (block.session !== walk.id) walk.findings.add('altered', place, 'it says it is of another session')
  const changes = newChanges()
  let hash: Buffer = Buffer.from(block.previous)
  let frames = 0
  try {
    const raw = openBlock(block)
    if (raw.length !== block.rawBytes) walk.findings.add('altered', place, `it says it holds ${block.rawBytes} bytes`)
    for (const bytes of framesOf(raw)) {
      hash = chainLink(hash, bytes)
      frames += 1
      const frame = decodeFrame(bytes)
      if (frames === 1 && frame.at !== block.firstAt) walk.findings.add('altered', place, 'it says it begins at another time')
      if (frame.kind === 'opened') walk.facts ??= frame.facts
      deriveRows(walk.id, walk.tally, changes, frame)
      checkSigned(walk, first + frames - 1, hash)
    }
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    walk.findings.add('altered', place, error.message)
  }
  if (frames !== block.frames || hex(hash) !== hex(block.hash))
    walk.findings.add('altered', place, 'its frames are not those that were recorded')
  walk.hash = Buffer.from(block.hash)
  walk.frames = first + block.frames - 1
  walk.blocks = block.number
  await walk.statements.take(changes)
}

function checkSigned(walk: Walk, frame: number, hash: Buffer): void {
  const signed = walk.signed.get(frame)
  if (signed === undefined) return
  if (signed.hash === hex(hash)) walk.covered = frame
  else walk.findings.add('altered', `frame ${frame}`, `checkpoint ${signed.number} signed another history up to here`)
}

function checkSeals(walk: Walk): void {
  const { findings, signed, frames } = walk
  for (const [frame, facts] of signed) {
    if (frame > frames)
      findings.add('removed', `frames ${frames + 1} to ${frame}`, `checkpoint ${facts.number} signed them; they are gone`)
    if (facts.state === 'closed' && frame < frames)
      findings.add('added', `frames ${frame + 1} to ${frames}`, 'the session was sealed before them')
  }
  if (walk.tally.endedAt === null) {
    if ([...signed.values()].some((facts) => facts.state === 'closed') && signed.size > 0 && !signed.has(frames)) {
      findings.add('removed', `frame ${frames + 1}`, 'the session was sealed, but its end is gone')
    }
    return
  }
  if (signed.get(frames)?.state !== 'closed')
    findings.add('unsigned', `frame ${frames}`, 'the session ended, but no checkpoint seals it')
}

/** The session's own row against its frames: each half on its own and nothing besides, so that one cannot stand in for the other. */
async function checkSessionRow(walk: Walk, source: StillSource): Promise<void> {
  const row = await source.session(walk.id)
  const place = 'session row'
  if (row === undefined) {
    walk.findings.add('removed', place, 'it is gone')
    return
  }
  if (walk.facts === undefined) {
    walk.findings.add('removed', 'frame 1', 'the frame that says whose session it is, is not there')
    return
  }
  const { tally, facts } = walk
  const { id, frames, blocks } = walk
  const checkpointed = [...walk.signed.keys()].reduce((most, signed) => Math.max(most, signed), 0)
  // The spool's number is the node's own; no frame says it, and nobody is shown it.
  const { spoolNumber } = row.progress
  const progress = { ...tally, id, spoolNumber, frames, blocks, hash: hex(walk.hash), checkpointed }
  const differing = [...differences(facts, row.facts), ...differences(progress, { ...row.progress, hash: hex(row.progress.hash) })]
  if (differing.length > 0)
    walk.findings.add('altered', place, `it differs from the frames in: ${[...new Set(differing)].join(', ')}`)
}

/** Reads a live session as it stands at one moment, for the shipper goes on writing. */
export function verifySession(id: string, source: FrameSource, keyOf: KeyOf): Promise<SessionVerdict> {
  return source.snapshot((still) => verifyStill(id, still, keyOf))
}

async function verifyStill(id: string, source: StillSource, keyOf: KeyOf): Promise<SessionVerdict> {
  const findings = new Findings(id)
  const walk: Walk = {
    id,
    findings,
    statements: new StatementCheck(id, source, findings),
    tally: newTally(),
    signed: await readCheckpoints(id, source, keyOf, findings),
    links: await source.links(id),
    facts: undefined,
    frames: 0,
    blocks: 0,
    hash: chainStart(id),
    covered: 0,
  }
  for await (const block of source.blocks(id)) {
    checkPlace(walk, block)
    await checkFrames(walk, block)
  }
  if (walk.blocks === 0) findings.add('removed', 'blocks', 'there are none')
  checkSeals(walk)
  await checkSessionRow(walk, source)
  await walk.statements.finish()
  const state = findings.list.length > 0 ? 'altered' : walk.tally.endedAt === null ? 'live' : 'whole'
  const { frames, covered: signed, facts = null } = walk
  const { statements, endedAt } = walk.tally
  return { session: id, state, frames, signed, facts, statements, endedAt, findings: findings.list }
}
