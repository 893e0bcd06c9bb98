// Plays transcripts: who sent what, what was asked, what came out. Each is played whole, byte by byte, and cut at every point; the result must be
// the same. Lines: `C>` and `U>` bytes from the client and the upstream, `?` a question and its answer, `>U` and `>C` what must come out, `=` an outcome,
// `!` the error that ends it. `== title` starts a transcript, `#` is a comment.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Side } from '@sallyport/core'
import type { Step, Wire } from '@sallyport/wire'

export interface Transcript {
  readonly title: string
  readonly lines: readonly { readonly mark: Mark; readonly text: string; readonly number: number }[]
}

type Mark = 'C>' | 'U>' | '?' | '>U' | '>C' | '=' | '!'

export interface Notation<Question, Answer> {
  readonly wire: () => Wire<Question, Answer>
  /** Bytes of one message as a transcript writes it. */
  readonly encode: (from: Side, to: Side, text: string) => Buffer
  readonly printQuestion: (question: Question) => string
  readonly answer: (text: string, statement: number) => Answer
}

/** What came out between two inputs. */
interface Happened {
  readonly client: Buffer
  readonly upstream: Buffer
  readonly events: readonly string[]
}

const marks: readonly Mark[] = ['C>', 'U>', '?', '>U', '>C', '=', '!']

function readTranscripts(text: string): Transcript[] {
  const transcripts: { title: string; lines: { mark: Mark; text: string; number: number }[] }[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    if (line.startsWith('== ')) {
      transcripts.push({ title: line.slice(3).trim(), lines: [] })
      continue
    }
    const mark = marks.find((each) => line.startsWith(each))
    if (mark === undefined) throw new Error(`line ${index + 1}: ${line}`)
    transcripts[transcripts.length - 1]?.lines.push({ mark, text: line.slice(mark.length).trim(), number: index + 1 })
  }
  return transcripts
}

/** Every file of a folder, by its name. */
export function readTranscriptFolder(folder: string): { readonly file: string; readonly transcripts: readonly Transcript[] }[] {
  return readdirSync(folder).map((file) => ({ file, transcripts: readTranscripts(readFileSync(join(folder, file), 'utf8')) }))
}

/** How an input is cut: into its pieces. */
type Cut = (bytes: Buffer) => readonly Buffer[]

const whole: Cut = (bytes) => [bytes]
const byteByByte: Cut = (bytes) => Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
const cutAt =
  (at: number): Cut =>
  (bytes) =>
    at > 0 && at < bytes.length ? [bytes.subarray(0, at), bytes.subarray(at)] : [bytes]

/** Plays it whole, byte by byte, and cut in two at every point up to `longest` bytes. */
export function playHoweverCut<Question, Answer>(
  transcript: Transcript,
  notation: Notation<Question, Answer>,
  longest: number,
): void {
  play(transcript, notation, whole)
  play(transcript, notation, byteByByte)
  for (let at = 1; at < longest; at += 1) play(transcript, notation, cutAt(at))
}

/** Throws with both sides printed where what came out is not what the transcript says. Inputs that follow each other are one stream. */
function play<Question, Answer>(transcript: Transcript, notation: Notation<Question, Answer>, cut: Cut): void {
  const wire = notation.wire()
  const answers = transcript.lines.filter((line) => line.mark === '?').map((line) => line.text)
  let asked = 0
  let failed = false
  const answer = (question: Question): Answer => {
    const text = answers[asked] ?? ''
    const [expected = '', ruling = ''] = text.split(' -> ')
    const got = notation.printQuestion(question)
    if (got !== expected) throw new Error(`${transcript.title}: asked ${got}, expected ${expected}`)
    asked += 1
    return notation.answer(ruling, asked)
  }
  for (const group of groups(transcript)) {
    const happened = empty()
    try {
      for (const piece of cut(Buffer.concat(group.inputs.map((text) => notation.encode(group.from, other(group.from), text))))) {
        run(wire, wire.receive(group.from, piece), answer, happened)
      }
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error)) throw error
      happened.events.push(`! ${String(error.code)}`)
      failed = true
    }
    compare(transcript, group, notation, happened)
    if (failed) return
  }
  if (asked !== answers.length) throw new Error(`${transcript.title}: ${answers.length - asked} questions were not asked`)
}

const other = (side: Side): Side => (side === 'client' ? 'upstream' : 'client')

interface Group {
  readonly from: Side
  readonly inputs: string[]
  readonly expected: { mark: Mark; text: string }[]
  readonly number: number
}

function groups(transcript: Transcript): Group[] {
  const found: Group[] = []
  for (const { mark, text, number } of transcript.lines) {
    const last = found[found.length - 1]
    if (mark === 'C>' || mark === 'U>') {
      const from: Side = mark === 'C>' ? 'client' : 'upstream'
      if (last !== undefined && last.from === from && last.expected.length === 0) last.inputs.push(text)
      else found.push({ from, inputs: [text], expected: [], number })
    } else last?.expected.push({ mark, text })
  }
  return found
}

interface Collected {
  readonly client: Buffer[]
  readonly upstream: Buffer[]
  readonly events: string[]
}

const empty = (): Collected => ({ client: [], upstream: [], events: [] })

function run<Question, Answer>(
  wire: Wire<Question, Answer>,
  first: Step<Question>[],
  answer: (question: Question) => Answer,
  into: Collected,
): void {
  let steps: Step<Question>[] | undefined = first
  while (steps !== undefined) {
    let next: Step<Question>[] | undefined
    for (const [index, step] of steps.entries()) {
      if (step.kind === 'send') into[step.to].push(step.bytes)
      else if (step.kind === 'outcome') into.events.push(`= ${printOutcome(step.outcome)}`)
      else if (step.kind === 'judge') {
        if (index !== steps.length - 1) throw new Error('a question must be the last step')
        next = wire.rule(answer(step.question))
      } else if (step.kind !== 'keep') into.events.push(`= ${step.kind}`)
    }
    steps = next
  }
}

function printOutcome(outcome: { statement: number; rows: number; error?: string }): string {
  const end = outcome.error === undefined ? '' : ` ${outcome.error}`
  return `statement ${outcome.statement} rows ${outcome.rows}${end}`
}

function compare<Question, Answer>(
  transcript: Transcript,
  group: Group,
  notation: Notation<Question, Answer>,
  got: Collected,
): void {
  const of = (mark: Mark): string[] => group.expected.filter((line) => line.mark === mark).map((line) => line.text)
  const expected: Happened = {
    upstream: Buffer.concat(of('>U').map((text) => notation.encode('client', 'upstream', text))),
    client: Buffer.concat(of('>C').map((text) => notation.encode('upstream', 'client', text))),
    events: [...of('=').map((text) => `= ${text}`), ...of('!').map((text) => `! ${text}`)],
  }
  const seen: Happened = { upstream: Buffer.concat(got.upstream), client: Buffer.concat(got.client), events: got.events }
  if (print(expected) === print(seen)) return
  throw new Error(`${transcript.title}, line ${group.number}:\nexpected ${print(expected)}\ngot      ${print(seen)}`)
}

function print(happened: Happened): string {
  const bytes = (part: Buffer): string => JSON.stringify(part.toString('latin1'))
  return `to upstream ${bytes(happened.upstream)}\n         to client ${bytes(happened.client)}\n         ${happened.events.join('; ')}`
}
