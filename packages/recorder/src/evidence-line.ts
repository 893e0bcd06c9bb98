// One line of an evidence file, read back: JSON of the shapes that evidence.ts writes, and nothing else.

import { Malformed } from '@sallyport/core'
import type { EvidenceKey } from './evidence.js'
import type { Block, Checkpoint, SessionFacts, SessionProgress, StatementRow } from './shipped.js'

export type ReadLine =
  | { readonly kind: 'key'; readonly key: EvidenceKey }
  | { readonly kind: 'session'; readonly facts: SessionFacts; readonly progress: SessionProgress }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'block'; readonly block: Block }
  | { readonly kind: 'statement'; readonly statement: StatementRow }
  | { readonly kind: 'end'; readonly sessions: number }

const BLOCK_NAMES: readonly string[] = [
  'session',
  'number',
  'firstFrame',
  'frames',
  'firstAt',
  'previous',
  'hash',
  'encoding',
  'rawBytes',
  'bytes',
]

type Written = Partial<Record<string, unknown>>

/**
 * Throws Malformed. What verify goes on to compare, names and all, need not be looked at here; what it computes with must be of its
 * type, and nothing may stand beside what it compares.
 */
export function evidenceLine(text: string): ReadLine {
  const line = parsed(text)
  const [kind, ...more] = Object.keys(line)
  const value = line[kind ?? '']
  if (kind === undefined || more.length > 0 || !isWritten(value)) throw malformed('it is no line of evidence')
  switch (kind) {
    case 'key':
      nothingBut(value, ['id', 'node', 'publicKey'])
      return { kind, key: { id: textIn(value, 'id'), node: textIn(value, 'node'), publicKey: textIn(value, 'publicKey') } }
    case 'session':
      return sessionLine(value)
    case 'checkpoint': {
      nothingBut(value, ['key', 'number', 'session', 'body', 'signature'])
      texts(value, ['key', 'session', 'body'])
      numbers(value, ['number'])
      return { kind, checkpoint: { ...(value as Checkpoint & Written), signature: bytesIn(value, 'signature', 'base64') } }
    }
    case 'block': {
      nothingBut(value, BLOCK_NAMES)
      texts(value, ['session'])
      numbers(value, ['number', 'firstFrame', 'frames', 'firstAt', 'rawBytes'])
      if (value['encoding'] !== 'raw' && value['encoding'] !== 'brotli') throw malformed('its encoding is not known')
      const hashes = { previous: bytesIn(value, 'previous', 'hex'), hash: bytesIn(value, 'hash', 'hex') }
      return { kind, block: { ...(value as Block & Written), ...hashes, bytes: bytesIn(value, 'bytes', 'base64') } }
    }
    case 'statement':
      numbers(value, ['number'])
      return { kind, statement: value as StatementRow & Written }
    case 'end':
      nothingBut(value, ['sessions'])
      numbers(value, ['sessions'])
      return { kind, sessions: Number(value['sessions']) }
    default:
      throw malformed('it is no line of evidence')
  }
}

function sessionLine(value: Written): ReadLine {
  const { facts, progress } = value as { readonly facts?: unknown; readonly progress?: unknown }
  if (!isWritten(facts) || !isWritten(progress)) throw malformed('it does not say whose session it is')
  nothingBut(value, ['facts', 'progress'])
  texts(facts, ['id'])
  numbers(progress, ['spoolNumber', 'highestStatement'])
  const read = { ...(progress as SessionProgress & Written), hash: bytesIn(progress, 'hash', 'hex') }
  return { kind: 'session', facts: facts as SessionFacts & Written, progress: read }
}

/** JSON has many spellings of one value, and a name that stands twice hides one of its values: only the exporter's spelling counts. */
function parsed(text: string): Written {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed(text === '' ? 'it is not whole' : 'it is not JSON')
  }
  if (!isWritten(value)) throw malformed('it is no line of evidence')
  if (JSON.stringify(value) !== text)
    throw malformed('it is not written as an export writes it: a name stands twice, or a value is spelled another way')
  return value
}

function isWritten(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nothingBut(value: Written, names: readonly string[]): void {
  const more = Object.keys(value).find((name) => !names.includes(name))
  if (more !== undefined) throw malformed(`no evidence has ${JSON.stringify(more)} there`)
}

function textIn(value: Written, name: string): string {
  const text = value[name]
  if (typeof text !== 'string') throw malformed(`its ${name} is no text`)
  return text
}

function texts(value: Written, names: readonly string[]): void {
  for (const name of names) textIn(value, name)
}

function numbers(value: Written, names: readonly string[]): void {
  for (const name of names) if (!Number.isSafeInteger(value[name])) throw malformed(`its ${name} is no number`)
}

/** One spelling each: another would pass for the same bytes. */
function bytesIn(value: Written, name: string, encoding: 'hex' | 'base64'): Buffer {
  const text = textIn(value, name)
  const bytes = Buffer.from(text, encoding)
  if (bytes.toString(encoding) !== text) throw malformed(`its ${name} is not ${encoding}`)
  return bytes
}

function malformed(message: string): Malformed {
  return new Malformed('client', 'evidence', message)
}
