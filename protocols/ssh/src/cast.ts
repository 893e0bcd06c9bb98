// A recording as a terminal showed it: asciicast version 2 (docs.asciinema.org, "asciicast v2"), a header and then events.

import { StringDecoder } from 'node:string_decoder'
import type { Frame } from '@sallyport/core'

/** `[seconds, code, data]`: `o` output, `i` input, `r` a new size, `m` a marker. */
type Event = readonly [number, 'o' | 'i' | 'r' | 'm', string]

interface Header {
  readonly version: 2
  readonly width: number
  readonly height: number
  readonly timestamp: number
  readonly title: string
}

const usual = { width: 80, height: 24 }

/** Of a session with several terminals all are shown, as they came; of one without, what its commands printed. */
export async function* cast(frames: AsyncIterable<Frame>): AsyncIterable<Header | Event> {
  const decoders = new Map<string, StringDecoder>()
  const terminals = new Set<number>()
  let began: number | undefined
  for await (const frame of frames) {
    if (began === undefined) {
      if (frame.kind !== 'mark' || frame.name !== 'terminal') {
        if (frame.kind !== 'bytes') continue
        yield header(frame.at, usual)
      } else yield header(frame.at, sizeIn(frame.detail))
      began = frame.at
    }
    const seconds = Math.max((frame.at - began) / 1e6, 0)
    if (frame.kind === 'mark' && frame.name === 'terminal') terminals.add(frame.channel)
    else if (frame.kind === 'mark' && frame.name === 'resize') yield [seconds, 'r', frame.detail]
    else if (frame.kind === 'statement') yield [seconds, 'm', frame.statement.text]
    else if (frame.kind === 'bytes') {
      const text = decode(decoders, frame)
      const shown = terminals.has(frame.channel) ? text : text.replaceAll(/\r?\n/g, '\r\n')
      if (shown !== '') yield [seconds, frame.from === 'client' ? 'i' : 'o', shown]
    }
  }
  if (began === undefined) yield header(0, usual)
}

function header(at: number, { width, height }: typeof usual): Header {
  return { version: 2, width, height, timestamp: Math.floor(at / 1e6), title: 'sallyport' }
}

function sizeIn(detail: string): typeof usual {
  const [, width = '0', height = '0'] = /^(\d+)x(\d+)/.exec(detail) ?? []
  return { width: Number(width) || usual.width, height: Number(height) || usual.height }
}

/** A character may be cut between two frames of one stream. */
function decode(decoders: Map<string, StringDecoder>, { channel, from, bytes }: Frame & { kind: 'bytes' }): string {
  const key = `${channel} ${from}`
  const decoder = decoders.get(key) ?? new StringDecoder('utf8')
  decoders.set(key, decoder)
  return decoder.write(Buffer.from(bytes))
}
