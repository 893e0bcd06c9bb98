// Replay: what was asked, what was ruled, what came back, in words.

import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Frame, Line, Ruling } from '@sallyport/core'
import { RecordedMessage } from './recorded.js'
import type { Message } from './recorded.js'

const maxShownCharacters = 20_000
const maxUnpackedBytes = 16 * 1024 * 1024

export async function* transcribe(frames: AsyncIterable<Frame>): AsyncIterable<Line> {
  const answers = new Map<number, RecordedMessage>()
  for await (const frame of frames) {
    switch (frame.kind) {
      case 'statement':
        yield { at: frame.at, from: 'client', text: `[${frame.statement.id}] ${frame.statement.text}` }
        break
      case 'ruling':
        yield { at: frame.at, from: 'gateway', text: `[${frame.statement}] ${rulingText(frame.ruling, frame.reviewers)}` }
        break
      case 'mark':
        yield { at: frame.at, from: 'gateway', text: `[${frame.channel}] ${frame.name}: ${frame.detail}` }
        break
      case 'bytes': {
        if (frame.from !== 'upstream') break
        const answer = answers.get(frame.channel) ?? new RecordedMessage()
        answers.set(frame.channel, answer)
        answer.add(frame.bytes)
        break
      }
      case 'outcome': {
        const answer = answers.get(frame.statement)?.read()
        answers.delete(frame.statement)
        if (answer !== undefined) yield { at: frame.at, from: 'upstream', text: `[${frame.statement}] ${answerText(answer)}` }
        const failed = frame.error === undefined ? '' : `, ${frame.error}`
        yield {
          at: frame.at,
          from: 'gateway',
          text: `[${frame.statement}] ${frame.bytes} bytes, ${frame.durationMs.toFixed(1)} ms${failed}`,
        }
        break
      }
    }
  }
}

function rulingText(ruling: Ruling, reviewers: readonly string[]): string {
  const by = reviewers.length === 0 ? '' : ` (reviewed by ${reviewers.join(', ')})`
  const rule = ruling.rule === null ? '' : ` by rule ${ruling.rule}`
  if (ruling.kind === 'deny') return `denied${rule}: ${ruling.reason}${by}`
  if (ruling.kind === 'mask') return `masked${rule}: ${ruling.masks.map((mask) => `${mask.column} ${mask.with}`).join(', ')}${by}`
  return `allowed${rule}${by}`
}

function answerText(message: Message): string {
  const type = message.headers.find(([name]) => name === 'content-type')?.[1] ?? ''
  const status = message.first.replace('HTTP/1.1 ', '')
  if (message.body.length === 0) return status
  const body = unpacked(message)
  if (!/json|text|xml|javascript|event-stream|x-www-form/i.test(type)) return `${status} (${type}, ${body.length} bytes)`
  const text = body.toString('utf8')
  return `${status}\n${text.length <= maxShownCharacters ? text : `${text.slice(0, maxShownCharacters)}... (${text.length} characters)`}`
}

/** The body without its content coding; as it is where that does not work, for what is kept of it may be cut short. */
export function unpacked(message: Message): Buffer {
  const encoding = message.headers
    .find(([name]) => name === 'content-encoding')?.[1]
    ?.trim()
    .toLowerCase()
  const options = { maxOutputLength: maxUnpackedBytes }
  try {
    if (encoding === 'gzip' || encoding === 'x-gzip') return gunzipSync(message.body, options)
    if (encoding === 'br') return brotliDecompressSync(message.body, options)
    if (encoding === 'deflate') return inflateSync(message.body, options)
  } catch {
    return message.body
  }
  return message.body
}
