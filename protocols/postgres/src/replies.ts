// What the server still owes: one entry for each message that went on, in order. Every message from the server is checked against it; what
// does not fit ends the session. Statements end here, changes of names are confirmed here, and a poisoned message's error is reworded here.

import { Malformed } from '@sallyport/core'
import type { StatementEnd, Step } from '@sallyport/wire'
import {
  errorResponse,
  fromUpstream,
  readFields,
  readParameterTypes,
  readRowDescription,
  rowsOfTag,
  writeFields,
  Body,
} from './messages.js'
import type { ErrorWords, Fields } from './messages.js'
import type { Answer, Definition, Question } from './question.js'
import { coveredText } from './wording.js'

/** One statement while it runs. */
export interface Run {
  readonly statement: number
  /** Rows sent to the client so far. */
  sent: number
  /** Rows as the server's command tags count them. */
  counted: number
  bytes: number
  error?: string
  /** Ask again before the row after this one. */
  rowsUpTo: number
}

export interface Settling {
  readonly confirm: () => void
  readonly revert: () => void
}

export interface Expected {
  readonly kind: 'query' | 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync'
  readonly answer?: Answer
  readonly run?: Run
  readonly settling?: Settling
  /** Describe: whose parameter types are told, and which origins may not show. */
  readonly definition?: Definition
  /** `asked`: the server waits for COPY data from the client. */
  copyIn: 'no' | 'possible' | 'asked'
}

export type Steps = Step<Question>[]

/** A pipeline holds at most so many messages whose replies are out: libpq's own pipelines are bounded by memory only. */
const maxExpected = 100_000
export const notRun = 'not run: an earlier message of the same pipeline failed'

const { bindComplete, closeComplete, commandComplete, copyIn, emptyQuery, error, notice, parameterStatus } = fromUpstream
const { noData, notification, parameterDescription, parseComplete, portalSuspended, readyForQuery, rowDescription } = fromUpstream

export class Replies {
  readonly #expected: Expected[] = []
  /** Statement whose response was refused midway: nothing more of it reaches the client. */
  #refusing: { readonly words: ErrorWords; told: boolean } | undefined
  /** ParameterStatus as the server last reported it. */
  readonly reported = new Map<string, string>()
  /** Transaction status as the server last said: I, T or E. */
  status = 'I'
  /** The server said why it is about to hang up. */
  saidFatal = false
  /** The server skips everything up to the next Sync, which has not been sent yet. */
  skipping = false
  readonly #onTransactionEnd: () => void

  constructor(onTransactionEnd: () => void) {
    this.#onTransactionEnd = onTransactionEnd
  }

  get head(): Expected | undefined {
    return this.#expected[0]
  }

  get size(): number {
    return this.#expected.length
  }

  get refusing(): boolean {
    return this.#refusing !== undefined
  }

  /** Whether a statement is on its way or running at the server. */
  get running(): boolean {
    return this.#expected.some((entry) => entry.run !== undefined && entry.run.error === undefined)
  }

  /** The newest entry decides what the client may send next. */
  get last(): Expected | undefined {
    return this.#expected[this.#expected.length - 1]
  }

  push(entry: Expected): void {
    if (this.#expected.length >= maxExpected)
      throw new Malformed('client', 'pipeline-too-long', `more than ${maxExpected} messages wait for their replies`)
    this.#expected.push(entry)
  }

  /** The response of the head statement is cut off; the client is told once, in its turn. */
  refuse(words: ErrorWords): void {
    this.#refusing = { words, told: false }
  }

  /** One complete message that is not a row. Returns what the client gets in its place: itself, something else, or nothing. */
  control(type: number, bytes: Buffer, steps: Steps): Buffer | undefined {
    if (type === parameterStatus) return this.#setting(bytes)
    if (type === notification) return bytes
    if (type === notice) return this.#refusing === undefined ? this.#coverNotice(bytes) : undefined
    if (type === error) return this.#error(bytes, steps)
    if (type === readyForQuery) return this.#ready(bytes, steps)
    const shown = this.#refusing === undefined
    if (this.head === undefined) throw unexpected(type)
    const passes = this.#reply(type, bytes, this.head, steps)
    if (!shown || !passes) return this.#refusedEnd(type)
    return bytes
  }

  /** A refused response whose statement ended before our cancel arrived: the client still hears of the refusal, not of the success. */
  #refusedEnd(type: number): Buffer | undefined {
    const ends = type === commandComplete || type === portalSuspended || type === emptyQuery
    if (!ends || this.#refusing === undefined || this.head?.kind === 'query') return undefined
    return this.#tellRefusal()
  }

  #tellRefusal(): Buffer | undefined {
    if (this.#refusing === undefined || this.#refusing.told) return undefined
    this.#refusing.told = true
    return errorResponse(this.#refusing.words)
  }

  #reply(type: number, bytes: Buffer, head: Expected, steps: Steps): boolean {
    if (head.run !== undefined) head.run.bytes += bytes.length
    switch (type) {
      case parseComplete:
        return this.#done(head, 'parse', type)
      case bindComplete:
        return this.#done(head, 'bind', type)
      case closeComplete:
        return this.#done(head, 'close', type)
      case parameterDescription:
        return this.#describeParameters(head, bytes)
      case rowDescription:
      case noData:
        return this.#describeRows(head, type, bytes)
      case commandComplete:
      case portalSuspended:
      case emptyQuery:
        return this.#completed(head, type, bytes, steps)
      case fromUpstream.copyOut:
      case fromUpstream.copyDone:
        return this.#within(head, type)
      case copyIn:
        head.copyIn = 'asked'
        return this.#within(head, type)
      default:
        throw unexpected(type)
    }
  }

  #within(head: Expected, type: number): boolean {
    if (head.run === undefined || head.answer?.ruling.kind === 'deny') throw unexpected(type)
    return true
  }

  #done(head: Expected, kind: Expected['kind'], type: number): boolean {
    if (head.kind !== kind || head.answer?.ruling.kind === 'deny') throw unexpected(type)
    head.settling?.confirm()
    this.#expected.shift()
    return true
  }

  #describeParameters(head: Expected, bytes: Buffer): boolean {
    if (head.kind !== 'describe') throw unexpected(parameterDescription)
    if (head.definition !== undefined) head.definition.types = readParameterTypes(bytes)
    return true
  }

  #describeRows(head: Expected, type: number, bytes: Buffer): boolean {
    const origins = head.kind === 'describe' ? head.definition?.answer.forbiddenOrigins : head.answer?.forbiddenOrigins
    if (type === rowDescription && origins !== undefined && origins.length > 0) refuseOrigins(bytes, origins)
    if (head.kind === 'describe') this.#expected.shift()
    else if (head.kind !== 'query' || type === noData) throw unexpected(type)
    return true
  }

  #completed(head: Expected, type: number, bytes: Buffer, steps: Steps): boolean {
    const { run } = head
    if (run === undefined || head.answer?.ruling.kind === 'deny') throw unexpected(type)
    if (type === commandComplete) run.counted += rowsOfTag(new Body(bytes, 'upstream').text())
    else if (type === portalSuspended) run.counted = run.sent
    if (head.kind === 'query') return true
    this.#expected.shift()
    steps.push(ended(run))
    return true
  }

  #ready(bytes: Buffer, steps: Steps): Buffer {
    const head = this.#expected.shift()
    if (head === undefined || (head.kind !== 'query' && head.kind !== 'sync')) throw unexpected(readyForQuery)
    this.status = String.fromCharCode(bytes[5] ?? 0)
    if (this.status === 'I') this.#onTransactionEnd()
    head.settling?.confirm()
    const refusal = this.#tellRefusal()
    this.#refusing = undefined
    if (refusal !== undefined && head.run !== undefined) head.run.error ??= 'refused midway'
    if (head.run !== undefined) steps.push(ended(head.run))
    return refusal === undefined ? bytes : Buffer.concat([refusal, bytes])
  }

  #error(bytes: Buffer, steps: Steps): Buffer | undefined {
    const { head } = this
    const fields = readFields(bytes)
    const said = this.#wordError(head, fields, bytes)
    const seen = said === undefined ? fields : readFields(said)
    if (head?.run !== undefined) {
      head.run.error ??= `${seen['C'] ?? 'XX000'} ${seen['M'] ?? ''}`
      head.run.bytes += said?.length ?? 0
      if (head.copyIn === 'asked') head.copyIn = afterCopy(head)
    }
    // Query and Sync answer with ReadyForQuery; after any other failure everything up to the Sync is skipped.
    if (head !== undefined && head.kind !== 'query' && head.kind !== 'sync') this.#skipToSync(steps)
    return said
  }

  #wordError(head: Expected | undefined, fields: Fields, bytes: Buffer): Buffer | undefined {
    const fatal = fields['V'] === 'FATAL' || fields['V'] === 'PANIC'
    this.saidFatal ||= fatal
    if (this.#refusing !== undefined && !fatal) return this.#tellRefusal()
    if (head?.answer?.words !== undefined && !fatal) return errorResponse(head.answer.words)
    return this.#cover(head, fields, bytes, error)
  }

  #coverNotice(bytes: Buffer): Buffer {
    return this.#cover(this.head, readFields(bytes), bytes, notice)
  }

  /** Keeps the code and drops what could hold a value (the detail and context of a constraint quote whole rows). */
  #cover(head: Expected | undefined, fields: Fields, bytes: Buffer, type: number): Buffer {
    const cover = head?.answer?.cover ?? head?.definition?.answer.cover ?? 'nothing'
    if (cover === 'nothing') return bytes
    const { S = 'ERROR', V = S, C = 'XX000', M = '' } = fields
    return writeFields(type, { S, V, C, M: cover === 'everything' && !namesOnly.has(C) ? coveredText : M })
  }

  #skipToSync(steps: Steps): void {
    for (let head = this.#expected[0]; head !== undefined && head.kind !== 'sync'; head = this.#expected[0]) {
      this.#expected.shift()
      head.settling?.revert()
      if (head.run === undefined) continue
      head.run.error ??= notRun
      steps.push(ended(head.run))
    }
    this.skipping = this.#expected.length === 0
  }

  #setting(bytes: Buffer): Buffer {
    const body = new Body(bytes, 'upstream')
    const name = body.text()
    const value = body.text()
    this.reported.set(name, value)
    const pinned = name === 'client_encoding' ? 'UTF8' : name === 'standard_conforming_strings' ? 'on' : value
    // From here on texts would mean something else to the server than to us.
    if (value !== pinned)
      throw new Malformed('client', 'pinned-setting-changed', `${name} must stay ${pinned} through the gateway; the session ends`)
    return bytes
  }
}

/** Raised before any row is read; their texts quote names of the statement, not values: syntax, unknown or ambiguous column, unknown function, types. */
const namesOnly = new Set(['42601', '42702', '42703', '42803', '42804', '42883'])

export function runOf(answer: Answer): Run {
  const rowsUpTo = answer.ruling.kind === 'deny' ? undefined : answer.ruling.rowsUpTo
  return { statement: answer.statement, sent: 0, counted: 0, bytes: 0, rowsUpTo: rowsUpTo ?? Number.POSITIVE_INFINITY }
}

/** A simple Query may hold several COPYs, and is over only at its ReadyForQuery. */
export function afterCopy(entry: Expected): 'no' | 'possible' {
  return entry.kind === 'query' ? 'possible' : 'no'
}

function ended(run: Run): Step<Question> {
  const outcome: StatementEnd = { statement: run.statement, rows: run.counted, bytes: run.bytes }
  return { kind: 'outcome', outcome: run.error === undefined ? outcome : { ...outcome, error: run.error } }
}

/** The parser and the server disagree about where a column comes from: nothing of it may be shown. */
function refuseOrigins(bytes: Buffer, forbidden: readonly string[]): void {
  const bare = readRowDescription(bytes).find((column) => forbidden.includes(`${column.tableOid}.${column.attributeNumber}`))
  if (bare !== undefined)
    throw new Malformed('upstream', 'unmasked-column', `result column ${bare.name} would show a masked column`)
}

function unexpected(type: number): Malformed {
  return new Malformed(
    'upstream',
    'unexpected-message',
    `message ${JSON.stringify(String.fromCharCode(type))} from the target does not fit what was asked`,
  )
}
