// A recording as people read it: commands and what they printed, stderr and input marked apart.

import { narrate, shortened } from '@sallyport/core'
import type { Frame, Line, Outcome } from '@sallyport/core'

/** A chunk longer than this is cut in the transcript, saying so; the recording keeps it whole. */
const maxChunkCharacters = 16_000

export function transcribe(frames: AsyncIterable<Frame>): AsyncIterable<Line> {
  return narrate(frames, (frame) => {
    const { at } = frame
    switch (frame.kind) {
      case 'statement':
        return [
          {
            at,
            from: 'client',
            text: `${frame.statement.kind === 'command' ? '$' : frame.statement.kind} ${frame.statement.text}`,
          },
        ]
      case 'outcome':
        return [{ at, from: 'gateway', text: outcomeText(frame) }]
      case 'bytes':
        return [{ at, from: frame.from, text: `${labelOf(frame)}${textOf(frame.bytes)}` }]
      case 'ruling':
      case 'mark':
        return undefined
    }
  })
}

/** Channels are recorded as twice their number, and that plus one for stderr. */
function labelOf({ channel, from }: Frame & { kind: 'bytes' }): string {
  if (from === 'client') return 'input: '
  return channel % 2 === 1 ? 'stderr: ' : ''
}

function textOf(bytes: Uint8Array): string {
  return printable(shortened(Buffer.from(bytes).toString('utf8'), maxChunkCharacters).replaceAll('\r\n', '\n'))
}

/** Terminal controls would be carried out by the reader's own terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (control) => (control === '\n' || control === '\t' ? control : '\u00b7'))
}

/** An error is how the command ended: its status or its signal. */
function outcomeText({ bytes, durationMs, error }: Outcome): string {
  const took = `${bytes} bytes, ${durationMs.toFixed(1)} ms`
  return error === undefined ? took : `${error}, ${took}`
}
