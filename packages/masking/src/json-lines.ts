// JSON Lines, a line at a time (https://jsonlines.org). The mapping gets a line and answers what stands in its place.

import type { Mapped, SseEvent } from './sse.js'
import { Unmaskable } from './unmaskable.js'

const maxLineBytes = 8 * 1024 * 1024
const lineFeed = 0x0a
const carriageReturn = 0x0d

export class JsonLines {
  readonly #map: (line: string) => Mapped
  readonly #last: () => readonly SseEvent[]
  /** Of a line whose end has not come. */
  #pieces: Buffer[] = []
  #sizeBytes = 0

  /** `last`: lines to come when there are no more. */
  constructor(map: (line: string) => Mapped, last: () => readonly SseEvent[] = () => []) {
    this.#map = map
    this.#last = last
  }

  push(chunk: Buffer): Buffer {
    const out: Buffer[] = []
    let from = 0
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, from)) {
      this.#keep(chunk.subarray(from, end))
      out.push(this.#line('\n'))
      from = end + 1
    }
    if (from < chunk.length) this.#keep(Buffer.from(chunk.subarray(from)))
    return Buffer.concat(out)
  }

  /** The last line may have no line break after it. */
  end(): Buffer {
    const line = this.#sizeBytes === 0 ? Buffer.alloc(0) : this.#line('')
    const more = written(this.#last())
    return Buffer.concat(line.length === 0 || more.length === 0 ? [line, more] : [line, Buffer.from('\n'), more])
  }

  #keep(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#sizeBytes += piece.length
    if (this.#sizeBytes > maxLineBytes) throw new Unmaskable('a line is too long to be looked into')
  }

  #line(feed: string): Buffer {
    const bytes = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#sizeBytes = 0
    const returned = bytes.at(-1) === carriageReturn
    const line = bytes.toString('utf8', 0, returned ? bytes.length - 1 : bytes.length)
    const mapped = this.#map(line)
    if (mapped === undefined) return Buffer.alloc(0)
    const { before, data } = typeof mapped === 'string' ? { before: [], data: mapped } : mapped
    return Buffer.concat([written(before), Buffer.from(data + (returned ? '\r' : '') + feed)])
  }
}

function written(lines: readonly SseEvent[]): Buffer {
  return Buffer.from(lines.map(({ data }) => `${data}\n`).join(''))
}
