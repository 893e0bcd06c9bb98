// Replay: what was asked, what was ruled, what came back, in words.

import { narrate, rulingText, shortened } from '@sallyport/core'
import type { Frame, Line } from '@sallyport/core'
import { codingOf } from './codings.js'
import { RecordedMessage } from './recorded.js'
import type { Message } from './recorded.js'

const maxShownCharacters = 20_000
const maxUnpackedBytes = 16 * 1024 * 1024

/** Exchanges of one session run side by side, so each line says of which it is. */
export function transcribe(frames: AsyncIterable<Frame>): AsyncIterable<Line> {
  const answers = new Map<number, RecordedMessage>()
  return narrate(frames, (frame) => {
    const { at } = frame
    switch (frame.kind) {
      case 'statement':
        return [{ at, from: 'client', text: `[${frame.statement.id}] ${frame.statement.text}` }]
      case 'ruling':
        return [{ at, from: 'gateway', text: `[${frame.statement}] ${rulingText(frame)}` }]
      case 'mark':
        return [{ at, from: 'gateway', text: `${frame.channel === 0 ? '' : `[${frame.channel}] `}${frame.name}: ${frame.detail}` }]
      case 'bytes':
        if (frame.from === 'upstream') keep(frame, answers)
        return []
      case 'outcome':
        return ending(frame, answers)
    }
  })
}

function keep({ channel, bytes }: Frame & { kind: 'bytes' }, answers: Map<number, RecordedMessage>): void {
  const answer = answers.get(channel) ?? new RecordedMessage()
  answers.set(channel, answer)
  answer.add(bytes)
}

function ending(
  { at, statement, bytes, durationMs, error }: Frame & { kind: 'outcome' },
  answers: Map<number, RecordedMessage>,
): Line[] {
  const answer = answers.get(statement)?.read()
  answers.delete(statement)
  const failed = error === undefined ? '' : `, ${error}`
  const end: Line = { at, from: 'gateway', text: `[${statement}] ${bytes} bytes, ${durationMs.toFixed(1)} ms${failed}` }
  return answer === undefined ? [end] : [{ at, from: 'upstream', text: `[${statement}] ${answerText(answer)}` }, end]
}

function answerText(message: Message): string {
  const type = message.headers.find(([name]) => name === 'content-type')?.[1] ?? ''
  const status = message.first.replace('HTTP/1.1 ', '')
  if (message.body.length === 0) return status
  const body = unpacked(message)
  if (!/json|text|xml|javascript|event-stream|x-www-form/i.test(type)) return `${status} (${type}, ${body.length} bytes)`
  return `${status}\n${shortened(body.toString('utf8'), maxShownCharacters)}`
}

/** The body without its content coding; as it is where that does not work, for what is kept of it may be cut short. */
export function unpacked(message: Message): Buffer {
  const encoding = message.headers.find(([name]) => name === 'content-encoding')?.[1]
  try {
    return codingOf(encoding)?.whole(message.body, { maxOutputLength: maxUnpackedBytes }) ?? message.body
  } catch {
    return message.body
  }
}
