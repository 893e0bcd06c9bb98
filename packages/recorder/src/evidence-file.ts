// A file of evidence as verify reads the record: scanned once, its places remembered, its content read again where it is asked for. What is
// no line of evidence is a finding, with the number of the line.

import { closeSync, createReadStream, openSync, readSync } from 'node:fs'
import { Malformed, Misconfigured } from '@sallyport/core'
import { EVIDENCE_TITLE } from './evidence.js'
import type { EvidenceKey } from './evidence.js'
import { evidenceLine } from './evidence-line.js'
import type { ReadLine } from './evidence-line.js'
import type { Findings } from './findings.js'
import type { Block, Checkpoint, FrameSource, SessionFacts, SessionProgress, StatementRow, StillSource } from './shipped.js'

/** The largest frame there can be is 64 MiB, in base64. */
const LONGEST_LINE_BYTES = 96 * 1024 * 1024
/** Between two statements whose places are remembered. */
const STATEMENTS_A_PLACE = 100

interface Place {
  readonly at: number
  readonly bytes: number
}

interface Kept {
  readonly facts: SessionFacts
  readonly progress: SessionProgress
  /** By key and number. */
  readonly checkpoints: Map<string, Checkpoint>
  readonly blocks: Place[]
  /** Every so many statements, where its line begins; the lines between follow it. */
  readonly statements: { readonly number: number; readonly at: number }[]
  statementCount: number
  statementsEnd: number
}

export interface EvidenceFile extends FrameSource {
  readonly signers: readonly EvidenceKey[]
  close(): void
}

/** Throws Misconfigured for a file that cannot be read or is of another kind. */
export async function openEvidence(file: string, findings: Findings): Promise<EvidenceFile> {
  const sessions = new Map<string, Kept>()
  const keys = new Map<string, EvidenceKey>()
  const scan = new Scan(sessions, keys, findings)
  try {
    for await (const line of linesOf(file)) scan.take(line)
  } catch (cause) {
    if (cause instanceof Misconfigured) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Misconfigured('evidence-unreadable', `${file} cannot be read: ${reason}`, { cause })
  }
  scan.finish()
  const descriptor = openSync(file, 'r')
  const still = stillSource(descriptor, sessions, keys)
  return { ...still, snapshot: (work) => work(still), signers: [...keys.values()], close: () => closeSync(descriptor) }
}

interface FileLine extends Place {
  readonly number: number
  readonly text: string
}

function noEvidence(file: string): Misconfigured {
  return new Misconfigured(
    'no-evidence',
    `${file} is no evidence; write one with \`sallyport export --format evidence --session ID\``,
  )
}

/** The first line says what the file is; it is not among those that come out. */
async function* linesOf(file: string): AsyncGenerator<FileLine> {
  let rest: Buffer[] = []
  let restBytes = 0
  let at = 0
  let number = 0
  for await (const chunk of createReadStream(file)) {
    let bytes = Buffer.from(chunk as Uint8Array)
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      const line = Buffer.concat([...rest, bytes.subarray(0, end)])
      number += 1
      if (number === 1 && !isTitle(line.toString('utf8'))) throw noEvidence(file)
      if (number > 1) yield { number, at, bytes: line.length, text: line.toString('utf8') }
      at += line.length + 1
      bytes = bytes.subarray(end + 1)
      rest = []
      restBytes = 0
    }
    if (bytes.length > 0) rest.push(bytes)
    restBytes += bytes.length
    if (number === 0 && restBytes > 4096) throw noEvidence(file)
    if (restBytes > LONGEST_LINE_BYTES)
      throw new Misconfigured('no-evidence', `line ${number + 1} of ${file} is longer than any evidence`)
  }
  if (number === 0) throw noEvidence(file)
  // A last line without its end was cut off.
  if (restBytes > 0) yield { number: number + 1, at, bytes: restBytes, text: '' }
}

function isTitle(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'evidence' in value && value.evidence === EVIDENCE_TITLE
  } catch {
    return false
  }
}

class Scan {
  readonly #sessions: Map<string, Kept>
  readonly #keys: Map<string, EvidenceKey>
  readonly #findings: Findings
  #current: Kept | undefined
  #ended: number | undefined
  lines = 1

  constructor(sessions: Map<string, Kept>, keys: Map<string, EvidenceKey>, findings: Findings) {
    this.#sessions = sessions
    this.#keys = keys
    this.#findings = findings
  }

  take(line: FileLine): void {
    this.lines += 1
    const place = `line ${line.number}`
    if (this.#ended !== undefined) this.#findings.add('added', place, 'it stands after the end of the evidence')
    try {
      this.#place(evidenceLine(line.text), line)
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      this.#findings.add('altered', place, error.message)
    }
  }

  /** The last line says how many sessions there are. */
  finish(): void {
    if (this.#ended === undefined) this.#findings.add('removed', `line ${this.lines + 1}`, 'the end of the file is not there')
    else if (this.#ended !== this.#sessions.size)
      this.#findings.add('removed', 'sessions', `the file says there are ${this.#ended}, and there are ${this.#sessions.size}`)
  }

  #place(read: ReadLine, { number, at, bytes }: FileLine): void {
    if (read.kind === 'end') this.#ended = read.sessions
    else if (read.kind === 'key') this.#keys.set(read.key.id, read.key)
    else if (read.kind === 'session') this.#begin(read.facts, read.progress, number)
    else {
      const current = this.#current
      if (current === undefined) throw new Malformed('client', 'evidence', 'it belongs to no session')
      if (read.kind === 'checkpoint') this.#checkpoint(current, read.checkpoint, number)
      else if (read.kind === 'block') current.blocks.push({ at, bytes })
      else {
        if (current.statementCount % STATEMENTS_A_PLACE === 0) current.statements.push({ number: read.statement.number, at })
        current.statementCount += 1
        current.statementsEnd = at + bytes + 1
      }
    }
  }

  #checkpoint({ facts, checkpoints }: Kept, checkpoint: Checkpoint, line: number): void {
    const { key, number } = checkpoint
    const name = `${number} ${key}`
    if (checkpoints.has(name))
      this.#findings.add('added', `line ${line}`, `checkpoint ${number} of session ${facts.id} stands in the file twice`)
    checkpoints.set(name, checkpoint)
  }

  #begin(facts: SessionFacts, progress: SessionProgress, line: number): void {
    if (this.#sessions.has(facts.id)) this.#findings.add('added', `line ${line}`, `session ${facts.id} stands in the file twice`)
    this.#current = { facts, progress, checkpoints: new Map(), blocks: [], statements: [], statementCount: 0, statementsEnd: 0 }
    this.#sessions.set(facts.id, this.#current)
  }
}

function stillSource(descriptor: number, sessions: ReadonlyMap<string, Kept>, keys: ReadonlyMap<string, EvidenceKey>): StillSource {
  const read = (at: number, bytes: number): string => {
    const buffer = Buffer.alloc(bytes)
    const got = readSync(descriptor, buffer, 0, bytes, at)
    return buffer.toString('utf8', 0, got)
  }
  const block = ({ at, bytes }: Place): Block[] => {
    const line = evidenceLine(read(at, bytes))
    return line.kind === 'block' ? [line.block] : []
  }
  const statements = (kept: Kept, from: number, to: number): StatementRow[] => {
    const rows: StatementRow[] = []
    const first = Math.max(
      0,
      kept.statements.findLastIndex(({ number }) => number <= from),
    )
    for (let index = first; index < kept.statements.length; index++) {
      const { number, at } = kept.statements[index] ?? { number: 0, at: 0 }
      if (number > to) break
      const end = kept.statements[index + 1]?.at ?? kept.statementsEnd
      for (const text of read(at, end - at).split('\n')) {
        const line = text === '' ? undefined : evidenceLine(text)
        if (line?.kind === 'statement' && line.statement.number >= from && line.statement.number <= to) rows.push(line.statement)
      }
    }
    return rows
  }
  return {
    session: async (id) => sessions.get(id),
    sessionIds: () => each([...sessions.keys()]),
    links: async (id) =>
      (sessions.get(id)?.blocks ?? []).flatMap((place) =>
        block(place).map(({ number, firstFrame, frames, previous, hash }) => ({ number, firstFrame, frames, previous, hash })),
      ),
    async *blocks(id) {
      for (const place of sessions.get(id)?.blocks ?? []) yield* block(place)
    },
    statements: async (id, from, to) => {
      const kept = sessions.get(id)
      return kept === undefined ? [] : statements(kept, from, to)
    },
    countStatements: async (id) => sessions.get(id)?.statementCount ?? 0,
    checkpointsOf: (id) => each([...(sessions.get(id)?.checkpoints.values() ?? [])]),
    chain: () => each([]),
    keys: async () => [...keys.values()],
  }
}

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}
