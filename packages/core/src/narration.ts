// A recording in words: what was asked, ruled and came of it reads the same in every protocol. The bytes between are each protocol's own to tell.

import type { Frame, Line, Outcome } from './frame.js'
import type { Statement } from './statement.js'

/** `own` tells what only the protocol can; what it leaves (undefined) is told in the words that all protocols share. */
export async function* narrate(
  frames: AsyncIterable<Frame>,
  own: (frame: Frame) => readonly Line[] | undefined,
): AsyncIterable<Line> {
  for await (const frame of frames) yield* own(frame) ?? told(frame)
}

function told(frame: Frame): Line[] {
  const { at } = frame
  switch (frame.kind) {
    case 'statement':
      return [{ at, from: 'client', text: statementText(frame.statement, '') }]
    case 'ruling':
      return [{ at, from: 'gateway', text: rulingText(frame) }]
    case 'mark':
      return [{ at, from: 'gateway', text: `${frame.name}: ${frame.detail}` }]
    case 'outcome':
      return [{ at, from: 'gateway', text: outcomeText(frame) }]
    case 'bytes':
      return []
  }
}

/** `mark` is what the protocol's parameters begin with: `$` for `$1`. */
export function statementText({ text, parameters }: Statement, mark: string): string {
  if (parameters.length === 0) return text
  const values = parameters.map((value, index) => `${mark}${index + 1} = ${value === null ? 'NULL' : JSON.stringify(value)}`)
  return `${text}\n  -- ${values.join(', ')}`
}

export function rulingText({ ruling, reviewers }: Frame & { readonly kind: 'ruling' }): string {
  const by = reviewers.length === 0 ? '' : ` (reviewed by ${reviewers.join(', ')})`
  const rule = ruling.rule === null ? '' : ` by rule ${ruling.rule}`
  switch (ruling.kind) {
    case 'allow':
      return `allowed${rule}${by}`
    case 'mask':
      return `masked${rule}: ${ruling.masks.map((mask) => `${mask.column} ${mask.with}`).join(', ')}${by}`
    case 'deny':
      return `denied${rule}: ${ruling.reason}${by}`
  }
}

function outcomeText({ rows, bytes, durationMs, error }: Outcome): string {
  const took = `${durationMs.toFixed(1)} ms`
  return error === undefined ? `${rows} rows, ${bytes} bytes, ${took}` : `failed after ${took}: ${error}`
}

/** A text cut for reading, saying so; the recording keeps it whole. */
export function shortened(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters)}... (${text.length} characters)`
}
