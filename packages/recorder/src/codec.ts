// Frames to bytes. The layout is in README.md; it is hashed and signed, so it may be added to but never changed.

import type { Effect, Frame, RecordedSession, Ruling } from '@sallyport/core'
import type { FrameBuffer } from './frame-buffer.js'

export const FrameKind = { opened: 1, bytes: 2, statement: 3, ruling: 4, outcome: 5, mark: 6, closed: 7, started: 8 } as const

/** Kind and time, which follow the length. */
export const FRAME_HEAD_BYTES = 9
/** In the spool, the session's number stands before each frame. */
export const SESSION_NUMBER_BYTES = 4
/** A statement of PostgreSQL's own largest message (1 GB) cannot be held anyway; the gateway's message limits are below this. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024
/** Longer runs of bytes become several frames, so that blocks, batches and replay stay small. */
export const MAX_BYTES_FRAME_BYTES = 256 * 1024

/** The session number of frames that belong to the node itself. */
export const NODE_NUMBER = 0

/** Understandings and rulings are remembered and come again and again as the same objects: each is turned to JSON once. */
const known = new WeakMap<object, Buffer>()

function json(value: readonly Effect[] | Ruling): Buffer {
  const found = known.get(value)
  if (found !== undefined) return found
  const made = Buffer.from(JSON.stringify(value))
  known.set(value, made)
  return made
}

function begin(out: FrameBuffer, session: number, kind: number, at: number): number {
  out.u32(session)
  const start = out.length
  out.u32(0)
  out.u8(kind)
  out.u64(at)
  return start
}

function end(out: FrameBuffer, start: number): void {
  out.setU32(start, out.length - start - 4)
}

function optional(out: FrameBuffer, text: string | undefined): void {
  out.u8(text === undefined ? 0 : 1)
  if (text !== undefined) out.text(text)
}

function sized(out: FrameBuffer, bytes: Uint8Array): void {
  out.u32(bytes.length)
  out.raw(bytes)
}

function bytesFrames(out: FrameBuffer, session: number, frame: Extract<Frame, { kind: 'bytes' }>): void {
  const { bytes } = frame
  for (let from = 0; from === 0 || from < bytes.length; from += MAX_BYTES_FRAME_BYTES) {
    const start = begin(out, session, FrameKind.bytes, frame.at)
    out.u32(frame.channel)
    out.u8(frame.from === 'client' ? 0 : 1)
    out.raw(bytes.length <= MAX_BYTES_FRAME_BYTES ? bytes : bytes.subarray(from, from + MAX_BYTES_FRAME_BYTES))
    end(out, start)
  }
}

function statementPayload(out: FrameBuffer, { statement }: Extract<Frame, { kind: 'statement' }>): void {
  out.u32(statement.id)
  out.text(statement.kind)
  out.u8(statement.held ? 1 : 0)
  out.text(statement.text)
  out.u32(statement.parameters.length)
  for (const parameter of statement.parameters) optional(out, parameter ?? undefined)
  sized(out, json(statement.effects))
  optional(out, statement.provenance)
}

function rulingPayload(out: FrameBuffer, frame: Extract<Frame, { kind: 'ruling' }>): void {
  out.u32(frame.statement)
  sized(out, json(frame.ruling))
  out.u32(frame.reviewers.length)
  for (const reviewer of frame.reviewers) out.text(reviewer)
  optional(out, frame.forwarded)
}

/** Appends `frame` as the spool keeps it: the session's number, then the frame as it is hashed. */
export function encodeFrame(out: FrameBuffer, session: number, frame: Frame): void {
  if (frame.kind === 'bytes') return bytesFrames(out, session, frame)
  const start = begin(out, session, FrameKind[frame.kind], frame.at)
  switch (frame.kind) {
    case 'statement':
      statementPayload(out, frame)
      break
    case 'ruling':
      rulingPayload(out, frame)
      break
    case 'outcome':
      out.u32(frame.statement)
      out.f64(frame.rows)
      out.f64(frame.bytes)
      out.f64(frame.durationMs)
      optional(out, frame.error)
      break
    case 'mark':
      out.u32(frame.channel)
      out.text(frame.name)
      out.text(frame.detail)
      break
  }
  end(out, start)
}

/** A session's first frame. Its payload is JSON, for it is written once a session and may gain members. */
export function encodeOpened(out: FrameBuffer, session: number, node: string, opened: RecordedSession): void {
  const { identity, target, client } = opened
  const start = begin(out, session, FrameKind.opened, opened.startedAt)
  const facts = {
    id: opened.id,
    node,
    identity: { id: identity.id, name: identity.name, kind: identity.kind, groups: identity.groups },
    onBehalfOf: identity.onBehalfOf ?? null,
    target: target.name,
    protocol: target.protocol,
    address: target.address,
    durability: target.durability,
    client: { address: client.address, application: client.application ?? null, tls: client.tls },
  }
  sized(out, Buffer.from(JSON.stringify(facts)))
  end(out, start)
}

export function encodeClosed(out: FrameBuffer, session: number, at: number, outcome: string): void {
  const start = begin(out, session, FrameKind.closed, at)
  out.text(outcome)
  end(out, start)
}

/** Tells the shipper that the process before this one is gone: whatever it left open is closed. */
export function encodeStarted(out: FrameBuffer, at: number): void {
  end(out, begin(out, NODE_NUMBER, FrameKind.started, at))
}
