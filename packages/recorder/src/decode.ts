// Bytes to frames: what the shipper, replay and verify read. Throws Malformed and nothing else.

import { Malformed } from '@sallyport/core'
import type { DenialCause, Effect, Frame, Mask, Ruling, StatementKind } from '@sallyport/core'
import { FRAME_HEAD_BYTES, FrameKind, MAX_FRAME_BYTES } from './codec.js'
import { UTF16 } from './frame-buffer.js'
import type { SessionFacts } from './shipped.js'

/** Frames that only the recorder itself writes. */
export type SessionEdge =
  | { readonly kind: 'opened'; readonly at: number; readonly facts: SessionFacts }
  | { readonly kind: 'closed'; readonly at: number; readonly outcome: string }
  | { readonly kind: 'started'; readonly at: number }

export type RecordedFrame = Frame | SessionEdge

const statementKinds: readonly StatementKind[] = ['connect', 'query', 'command', 'shell', 'file', 'tunnel', 'request']

function malformed(message: string): Malformed {
  return new Malformed('upstream', 'recorded-frame', `a recorded frame cannot be read: ${message}`)
}

class FrameBytes {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#at = 0
  }

  #take(count: number): number {
    const at = this.#at
    if (count > this.#bytes.length - at) throw malformed('it ends too early')
    this.#at = at + count
    return at
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1))
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4))
  }

  u64(): number {
    const at = this.#take(8)
    const value = this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * 4294967296
    if (!Number.isSafeInteger(value)) throw malformed('a number is too large')
    return value
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#take(8))
  }

  raw(count: number): Buffer {
    const at = this.#take(count)
    return this.#bytes.subarray(at, at + count)
  }

  rest(): Buffer {
    return this.raw(this.#bytes.length - this.#at)
  }

  text(): string {
    const length = this.u32()
    return length >= UTF16 ? this.raw(length - UTF16).toString('utf16le') : this.raw(length).toString('utf8')
  }

  optional(): string | undefined {
    return this.u8() === 0 ? undefined : this.text()
  }

  json(): unknown {
    const bytes = this.raw(this.u32())
    try {
      return JSON.parse(bytes.toString('utf8'))
    } catch {
      throw malformed('its JSON is broken')
    }
  }

  /** How many items follow; each takes at least `smallest` bytes, so a lie about it cannot ask for much memory. */
  count(smallest: number): number {
    const count = this.u32()
    if (count * smallest > this.#bytes.length - this.#at) throw malformed('it counts more than it holds')
    return count
  }

  finish(): void {
    if (this.#at !== this.#bytes.length) throw malformed('it is longer than it should be')
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isEffect(value: unknown): value is Effect {
  return (
    isRecord(value) &&
    typeof value['access'] === 'string' &&
    typeof value['verb'] === 'string' &&
    typeof value['object'] === 'string'
  )
}

function effects(value: unknown): readonly Effect[] {
  if (!Array.isArray(value) || !value.every(isEffect)) throw malformed('its effects are not effects')
  return value
}

function ruling(value: unknown): Ruling {
  if (!isRecord(value)) throw malformed('its ruling is not a ruling')
  const { kind, masks, rule, cause, reason } = value
  const named = typeof rule === 'string' ? rule : null
  // Checked as far as rows are derived from it; the rest is shown as it is.
  if (kind === 'allow') return { ...value, kind, rule: named }
  if (kind === 'mask' && named !== null && Array.isArray(masks))
    return { ...value, kind, rule: named, masks: masks as readonly Mask[] }
  if (kind === 'deny' && typeof cause === 'string' && typeof reason === 'string') {
    return { ...value, kind, rule: named, cause: cause as DenialCause, reason }
  }
  throw malformed('its ruling is not a ruling')
}

function facts(value: unknown, at: number): SessionFacts {
  const who = isRecord(value) ? value['identity'] : undefined
  const client = isRecord(value) ? value['client'] : undefined
  if (!isRecord(value) || !isRecord(who) || !isRecord(client)) throw malformed('it does not say whose session it is')
  const { id, node, onBehalfOf, target, protocol } = value
  const { address, application, tls } = client
  const texts = [id, node, target, protocol, address, who['id'], who['name'], who['kind']]
  if (!isTexts(texts) || !isTexts(who['groups']) || typeof tls !== 'boolean') throw malformed('it does not say whose session it is')
  const nullable = [onBehalfOf, application].map((text) => (typeof text === 'string' ? text : null))
  const [theId = '', theNode = '', theTarget = '', theProtocol = '', theAddress = '', whoId = '', name = '', kind = ''] = texts
  return {
    id: theId,
    node: theNode,
    identity: { id: whoId, name, kind, groups: who['groups'] },
    onBehalfOf: nullable[0] ?? null,
    target: theTarget,
    protocol: theProtocol,
    client: { address: theAddress, application: nullable[1] ?? null, tls },
    startedAt: at,
  }
}

function readStatement(from: FrameBytes, at: number): Frame {
  const id = from.u32()
  const named = from.text()
  const kind = statementKinds.find((known) => known === named)
  if (kind === undefined) throw malformed('its statement is of no known kind')
  const held = from.u8() === 1
  const text = from.text()
  const parameters = Array.from({ length: from.count(1) }, () => from.optional() ?? null)
  const statement = { id, kind, text, parameters, effects: effects(from.json()), held }
  const provenance = from.optional()
  return { kind: 'statement', at, statement: provenance === undefined ? statement : { ...statement, provenance } }
}

function readRuling(from: FrameBytes, at: number): Frame {
  const frame = { kind: 'ruling' as const, at, statement: from.u32(), ruling: ruling(from.json()) }
  const reviewers = Array.from({ length: from.count(4) }, () => from.text())
  const forwarded = from.optional()
  return forwarded === undefined ? { ...frame, reviewers } : { ...frame, reviewers, forwarded }
}

function readOutcome(from: FrameBytes, at: number): Frame {
  const frame = { kind: 'outcome' as const, at, statement: from.u32(), rows: from.f64(), bytes: from.f64(), durationMs: from.f64() }
  const error = from.optional()
  return error === undefined ? frame : { ...frame, error }
}

function readPayload(kind: number, at: number, from: FrameBytes): RecordedFrame {
  switch (kind) {
    case FrameKind.opened:
      return { kind: 'opened', at, facts: facts(from.json(), at) }
    case FrameKind.bytes:
      return { kind: 'bytes', at, channel: from.u32(), from: from.u8() === 0 ? 'client' : 'upstream', bytes: from.rest() }
    case FrameKind.statement:
      return readStatement(from, at)
    case FrameKind.ruling:
      return readRuling(from, at)
    case FrameKind.outcome:
      return readOutcome(from, at)
    case FrameKind.mark:
      return { kind: 'mark', at, channel: from.u32(), name: from.text(), detail: from.text() }
    case FrameKind.closed:
      return { kind: 'closed', at, outcome: from.text() }
    case FrameKind.started:
      return { kind: 'started', at }
    default:
      throw malformed(`its kind ${kind} is not known`)
  }
}

/** The length of the frame that begins at `at`, its own length field included. Throws Malformed where it is not all there. */
export function frameLength(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw malformed('its length is cut off')
  const length = bytes.readUInt32LE(at)
  if (length < FRAME_HEAD_BYTES || length > MAX_FRAME_BYTES) throw malformed('its length cannot be')
  if (at + 4 + length > bytes.length) throw malformed('it is cut off')
  return 4 + length
}

/** Reads one frame, given exactly. A `bytes` frame keeps a view of `bytes`, not a copy. */
export function decodeFrame(bytes: Buffer): RecordedFrame {
  if (frameLength(bytes, 0) !== bytes.length) throw malformed('it is longer than it says')
  const from = new FrameBytes(bytes.subarray(4))
  const kind = from.u8()
  const frame = readPayload(kind, from.u64(), from)
  from.finish()
  return frame
}

/** Reads a block's frames one after another. `frame` is the bytes that the chain covers. */
export function* framesOf(block: Buffer): Generator<Buffer> {
  for (let at = 0; at < block.length;) {
    const length = frameLength(block, at)
    yield block.subarray(at, at + length)
    at += length
  }
}
