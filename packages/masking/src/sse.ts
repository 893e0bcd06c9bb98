// Server-sent events, an event at a time (WHATWG HTML, section 9.2.6). The mapping gets an event's data and answers what stands in its place.

import { Unmaskable } from './unmaskable.js'

const maxEventBytes = 8 * 1024 * 1024

export interface SseEvent {
  readonly name?: string
  readonly data: string
}

/** What stands in an event's place: undefined leaves it out; others may come before it. */
export type Mapped = string | undefined | { readonly before: readonly SseEvent[]; readonly data: string }

export class SseEvents {
  readonly #map: (data: string, name: string | undefined) => Mapped
  readonly #last: () => readonly SseEvent[]
  readonly #beside: (line: string) => string
  #rest: Buffer = Buffer.alloc(0)
  /** So much of it holds no end of an event. */
  #looked = 0

  /** `last`: events to come when there are no more. `beside`: what becomes of an event's other lines, its name and its number. */
  constructor(
    map: (data: string, name: string | undefined) => Mapped,
    last: () => readonly SseEvent[] = () => [],
    beside: (line: string) => string = (line) => line,
  ) {
    this.#map = map
    this.#last = last
    this.#beside = beside
  }

  push(chunk: Buffer): Buffer {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const out: Buffer[] = []
    for (;;) {
      const end = eventEnd(data, this.#looked)
      if (end < 0) break
      out.push(this.#event(data.subarray(0, end)))
      data = data.subarray(end)
      this.#looked = 0
    }
    // What ends an event has four bytes at most.
    this.#looked = Math.max(0, data.length - 3)
    if (data.length > maxEventBytes) throw new Unmaskable('an event is too long to be looked into')
    this.#rest = Buffer.from(data)
    return Buffer.concat(out)
  }

  /** An event without an empty line after it is not complete, and no client takes it. */
  end(): Buffer {
    return Buffer.concat(this.#last().map(({ name, data }) => written(name === undefined ? [] : [`event: ${name}`], data)))
  }

  #event(bytes: Buffer): Buffer {
    const lines = bytes
      .toString('utf8')
      .replace(/^\u{feff}/u, '')
      .split(/\r\n|\n|\r/)
      .filter((line) => line !== '')
    const data = lines.filter((line) => /^data(?::|$)/.test(line)).map((line) => line.replace(/^data:? ?/, ''))
    // A comment could hold anything and says nothing to a client; an empty one keeps the connection alive.
    const others = lines.filter((line) => /^(?:event|id|retry)(?::|$)/.test(line)).map(this.#beside)
    if (data.length === 0) return Buffer.from(others.length === 0 ? ':\n\n' : `${others.join('\n')}\n\n`)
    const name = others.findLast((line) => line.startsWith('event:'))?.replace(/^event: ?/, '')
    const mapped = this.#map(data.join('\n'), name)
    if (mapped === undefined) return Buffer.from(':\n\n')
    if (typeof mapped === 'string') return written(others, mapped)
    const before = mapped.before.map((event) => written(event.name === undefined ? [] : [`event: ${event.name}`], event.data))
    return Buffer.concat([...before, written(others, mapped.data)])
  }
}

function written(others: readonly string[], data: string): Buffer {
  const lines = data.split('\n').map((line) => `data: ${line}`)
  return Buffer.from(`${[...others, ...lines].join('\n')}\n\n`)
}

/** Just after the empty line that ends the first event; -1 where none has come. */
function eventEnd(data: Buffer, from: number): number {
  for (let at = from; at < data.length; at += 1) {
    const first = lineBreak(data, at)
    if (first === 0) continue
    const second = lineBreak(data, at + first)
    if (second > 0) return at + first + second
    at += first - 1
  }
  return -1
}

/** Length of the line break at `at`. A CR that ends what is here may be half of one, so it waits. */
function lineBreak(data: Buffer, at: number): number {
  if (data[at] === 0x0a) return 1
  if (data[at] !== 0x0d || at + 1 >= data.length) return 0
  return data[at + 1] === 0x0a ? 2 : 1
}
