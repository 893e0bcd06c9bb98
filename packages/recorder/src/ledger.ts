// What the shipper knows between two batches: the sessions that are live in the spool, each with its chain and counters. Takes frames
// as they come out of the spool and cuts them into what one transaction carries.

import { brotliCompressSync, constants } from 'node:zlib'
import { NO_CHECKPOINT, bodyHash, signCheckpoint } from './checkpoint.js'
import { chainLink, chainStart } from './chain.js'
import { FrameKind, NODE_NUMBER, SESSION_NUMBER_BYTES, encodeClosed, encodeFrame } from './codec.js'
import { decodeFrame, frameLength } from './decode.js'
import type { SessionEdge } from './decode.js'
import { FrameBuffer } from './frame-buffer.js'
import type { NodeKey } from './node-key.js'
import { deriveRows, newChanges, newTally } from './rows.js'
import type { RowChanges, Tally } from './rows.js'
import type { Block, Checkpoint, SessionFacts, SessionProgress, ShippedBatch, ShippedState } from './shipped.js'

/** Raw size of a block: large enough to compress well, small enough to read one for a single frame. */
export const BLOCK_BYTES = 256 * 1024
/** Below this compressing gains nothing worth its set-up time. */
const SMALLEST_COMPRESSED_BYTES = 256
/** Measured on rows of text: 280 to 450 MB/s at ratios of 2.8 and 14, where deflate at its fastest does 76 to 480 at 2.6 and 8. */
const compression = { params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_LGWIN]: 18 } }
/** A live session is sealed at the latest after so many frames or so long. */
const CHECKPOINT_FRAMES = 10_000
const CHECKPOINT_US = 60_000_000

const GATEWAY_STOPPED = 'gateway stopped'

interface LiveSession {
  readonly id: string
  readonly spoolNumber: number
  readonly tally: Tally
  frames: number
  blocks: number
  hash: Buffer
  checkpointed: number
  /** When the oldest frame that no checkpoint covers was shipped. */
  unsealedSince: number
}

/** A session's frames in the batch that is being made: where they lie in the arena, one pair of numbers each. */
interface Gathering {
  readonly session: LiveSession
  readonly slices: number[]
  readonly changes: RowChanges
}

export interface LedgerOptions {
  readonly node: string
  readonly key: NodeKey
  /** Microseconds since the Unix epoch. */
  readonly now: () => number
}

export class Ledger {
  readonly #options: LedgerOptions
  readonly #live = new Map<number, LiveSession>()
  readonly #arena = new FrameBuffer()
  #gathered = new Map<LiveSession, Gathering>()
  #opened: SessionFacts[] = []
  #position: number
  #checkpoint: { number: number; hash: string }

  constructor(state: ShippedState, options: LedgerOptions) {
    this.#options = options
    this.#position = state.position
    const { checkpoint } = state
    this.#checkpoint =
      checkpoint === null ? { number: 0, hash: NO_CHECKPOINT } : { number: checkpoint.number, hash: bodyHash(checkpoint.body) }
    for (const progress of state.live) this.#live.set(progress.spoolNumber, resume(progress, options.now()))
  }

  get head(): { readonly number: number; readonly hash: string } {
    return this.#checkpoint
  }

  get gatheredBytes(): number {
    return this.#arena.length
  }

  /** Takes the frames of one spool batch. */
  take(frames: Buffer): void {
    for (let at = 0; at < frames.length;) {
      const number = frames.readUInt32LE(at)
      const start = at + SESSION_NUMBER_BYTES
      const end = start + frameLength(frames, start)
      this.#frame(number, frames.subarray(start, end))
      at = end
    }
  }

  #frame(number: number, frame: Buffer): void {
    const kind = frame[4]
    if (number === NODE_NUMBER && kind === FrameKind.started) return this.#closeAll()
    if (kind === FrameKind.opened) {
      const opened = decodeFrame(frame) as Extract<SessionEdge, { kind: 'opened' }>
      this.#begin(number, opened.facts)
    }
    const session = this.#live.get(number) ?? this.#lost(number)
    this.#gather(session, frame)
    if (kind === FrameKind.closed) this.#live.delete(number)
  }

  #begin(spoolNumber: number, facts: SessionFacts): LiveSession {
    const session: LiveSession = {
      id: facts.id,
      spoolNumber,
      tally: newTally(),
      frames: 0,
      blocks: 0,
      hash: chainStart(facts.id),
      checkpointed: 0,
      unsealedSince: this.#options.now(),
    }
    this.#live.set(spoolNumber, session)
    this.#opened.push(facts)
    return session
  }

  /** Frames whose session's beginning is gone (a database put back to an older state): kept under a name that says so. */
  #lost(number: number): LiveSession {
    const at = this.#options.now()
    return this.#begin(number, {
      id: `lost-${this.#options.key.id}-${this.#position}-${number}`,
      node: this.#options.node,
      identity: { id: '', name: 'unknown', kind: 'unknown', groups: [] },
      onBehalfOf: null,
      target: 'unknown',
      protocol: 'unknown',
      client: { address: 'unknown', application: null, tls: false },
      startedAt: at,
    })
  }

  #gather(session: LiveSession, frame: Buffer): void {
    let gathering = this.#gathered.get(session)
    if (gathering === undefined) {
      gathering = { session, slices: [], changes: newChanges() }
      this.#gathered.set(session, gathering)
    }
    gathering.slices.push(this.#arena.length, frame.length)
    this.#arena.raw(frame)
    deriveRows(session.id, session.tally, gathering.changes, decodeFrame(frame))
  }

  /** Adds a frame that the shipper itself has to say. */
  #say(session: LiveSession, encode: (out: FrameBuffer) => void): void {
    const out = new FrameBuffer()
    encode(out)
    this.#gather(session, Buffer.from(out.bytes.subarray(SESSION_NUMBER_BYTES, out.length)))
  }

  #closeAll(): void {
    for (const session of this.#live.values()) {
      this.#say(session, (out) => encodeClosed(out, session.spoolNumber, session.tally.lastAt, GATEWAY_STOPPED))
    }
    this.#live.clear()
  }

  /** A part of the spool that cannot be read: every session that may have had frames in it says so from now on. */
  damaged(from: number, to: number): void {
    for (const session of this.#live.values()) {
      const detail = `${to - from} bytes of the spool, from position ${from}, cannot be read; frames of this session may be missing here`
      this.#say(session, (out) =>
        encodeFrame(out, session.spoolNumber, {
          kind: 'mark',
          at: session.tally.lastAt,
          channel: 0,
          name: 'record-damaged',
          detail,
        }),
      )
    }
  }

  /** Whether a live session has waited long enough for a checkpoint, frames or not. */
  get unsealed(): boolean {
    const since = this.#options.now() - CHECKPOINT_US
    for (const session of this.#live.values())
      if (session.frames > session.checkpointed && session.unsealedSince <= since) return true
    return false
  }

  /** Everything taken so far, as one transaction that brings the node to `position`. */
  cut(position: number): ShippedBatch {
    const blocks: Block[] = []
    for (const gathering of this.#gathered.values()) blocks.push(...this.#blocksOf(gathering))
    const touched = new Set(this.#gathered.keys())
    const checkpoints: Checkpoint[] = []
    for (const session of new Set([...touched, ...this.#live.values()])) {
      if (!this.#isDue(session)) continue
      checkpoints.push(this.#seal(session))
      touched.add(session)
    }
    const changes = [...this.#gathered.values()].map((gathering) => gathering.changes)
    const batch: ShippedBatch = {
      from: this.#position,
      to: position,
      opened: this.#opened,
      progress: [...touched].map(progressOf),
      statements: changes.flatMap(({ statements }) => [...statements.values()]),
      patches: changes.flatMap(({ patches }) => [...patches.values()]),
      blocks,
      checkpoints,
    }
    this.#position = position
    this.#opened = []
    this.#gathered = new Map()
    this.#arena.reset(0)
    return batch
  }

  #blocksOf({ session, slices }: Gathering): Block[] {
    const blocks: Block[] = []
    let parts: Buffer[] = []
    let size = 0
    for (let index = 0; index < slices.length; index += 2) {
      const start = slices[index] ?? 0
      const length = slices[index + 1] ?? 0
      if (size > 0 && size + length > BLOCK_BYTES) {
        blocks.push(blockOf(session, parts, size))
        parts = []
        size = 0
      }
      parts.push(this.#arena.bytes.subarray(start, start + length))
      size += length
    }
    if (size > 0) blocks.push(blockOf(session, parts, size))
    return blocks
  }

  #isDue(session: LiveSession): boolean {
    const unsealed = session.frames - session.checkpointed
    if (unsealed === 0) return false
    return (
      session.tally.endedAt !== null ||
      unsealed >= CHECKPOINT_FRAMES ||
      session.unsealedSince <= this.#options.now() - CHECKPOINT_US
    )
  }

  #seal(session: LiveSession): Checkpoint {
    const { key, node, now } = this.#options
    const checkpoint = signCheckpoint(
      {
        key: key.id,
        number: this.#checkpoint.number + 1,
        node,
        session: session.id,
        frames: session.frames,
        hash: session.hash.toString('hex'),
        state: session.tally.endedAt === null ? 'open' : 'closed',
        at: now(),
        previous: this.#checkpoint.hash,
      },
      key.privateKey,
    )
    this.#checkpoint = { number: checkpoint.number, hash: bodyHash(checkpoint.body) }
    session.checkpointed = session.frames
    session.unsealedSince = now()
    return checkpoint
  }
}

function resume(progress: SessionProgress, now: number): LiveSession {
  const { statements, denied, bytes, highestStatement, lastAt, endedAt, outcome } = progress
  return {
    id: progress.id,
    spoolNumber: progress.spoolNumber,
    tally: { statements, denied, bytes, highestStatement, lastAt, endedAt, outcome },
    frames: progress.frames,
    blocks: progress.blocks,
    hash: Buffer.from(progress.hash),
    checkpointed: progress.checkpointed,
    unsealedSince: now,
  }
}

function progressOf(session: LiveSession): SessionProgress {
  const { id, spoolNumber, frames, blocks, hash, checkpointed, tally } = session
  return { id, spoolNumber, frames, blocks, hash, checkpointed, ...tally }
}

function blockOf(session: LiveSession, frames: readonly Buffer[], size: number): Block {
  const previous = session.hash
  for (const frame of frames) session.hash = chainLink(session.hash, frame)
  const raw = Buffer.concat(frames, size)
  const compressed = size < SMALLEST_COMPRESSED_BYTES ? raw : brotliCompressSync(raw, compression)
  const encoding = compressed.length < size ? 'brotli' : 'raw'
  const [first = raw] = frames
  const block: Block = {
    session: session.id,
    number: session.blocks + 1,
    firstFrame: session.frames + 1,
    frames: frames.length,
    firstAt: first.readUInt32LE(5) + first.readUInt32LE(9) * 4294967296,
    previous,
    hash: session.hash,
    encoding,
    rawBytes: size,
    bytes: encoding === 'brotli' ? compressed : raw,
  }
  session.blocks += 1
  session.frames += frames.length
  return block
}
