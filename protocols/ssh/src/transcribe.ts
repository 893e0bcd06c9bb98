// A recording as people read it: commands and what they printed, stderr and input marked apart.

import type { Frame, Line } from '@sallyport/core'

/** A chunk longer than this is cut in the transcript, saying so; the recording keeps it whole. */
const maxChunkCharacters = 16_000

export async function* transcribe(frames: AsyncIterable<Frame>): AsyncIterable<Line> {
  for await (const frame of frames) {
    switch (frame.kind) {
      case 'statement':
        yield {
          at: frame.at,
          from: 'client',
          text: `${frame.statement.kind === 'command' ? '$' : frame.statement.kind} ${frame.statement.text}`,
        }
        break
      case 'ruling':
        yield { at: frame.at, from: 'gateway', text: rulingText(frame) }
        break
      case 'mark':
        yield { at: frame.at, from: 'gateway', text: `${frame.name}: ${frame.detail}` }
        break
      case 'outcome':
        yield { at: frame.at, from: 'gateway', text: outcomeText(frame) }
        break
      case 'bytes':
        yield { at: frame.at, from: frame.from, text: `${labelOf(frame)}${textOf(frame.bytes)}` }
        break
    }
  }
}

/** Channels are recorded as twice their number, and that plus one for stderr. */
function labelOf({ channel, from }: Frame & { kind: 'bytes' }): string {
  if (from === 'client') return 'input: '
  return channel % 2 === 1 ? 'stderr: ' : ''
}

function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('utf8')
  const readable = printable(text.slice(0, maxChunkCharacters).replaceAll('\r\n', '\n'))
  return text.length <= maxChunkCharacters ? readable : `${readable}... (${text.length} characters)`
}

/** Terminal controls would be carried out by the reader's own terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (control) => (control === '\n' || control === '\t' ? control : '\u00b7'))
}

function rulingText({ ruling, reviewers }: Frame & { kind: 'ruling' }): string {
  const by = reviewers.length === 0 ? '' : ` (reviewed by ${reviewers.join(', ')})`
  const rule = ruling.rule === null ? '' : ` by rule ${ruling.rule}`
  if (ruling.kind === 'deny') return `denied${rule}: ${ruling.reason}${by}`
  return `${ruling.kind === 'allow' ? 'allowed' : 'masked'}${rule}${by}`
}

function outcomeText(frame: Frame & { kind: 'outcome' }): string {
  const took = `${frame.bytes} bytes, ${frame.durationMs.toFixed(1)} ms`
  return frame.error === undefined ? took : `${frame.error}, ${took}`
}
