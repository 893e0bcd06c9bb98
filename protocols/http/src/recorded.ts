// Exchanges back out of a session's frames, for replay and HAR.

import type { Frame, Ruling, Side, Statement } from '@sallyport/core'

export interface Message {
  readonly first: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
}

/** One message of a channel as it was recorded: its head, then its body. */
export class RecordedMessage {
  #chunks: Buffer[] = []

  add(bytes: Uint8Array): void {
    this.#chunks.push(Buffer.from(bytes))
  }

  /** Undefined: nothing was recorded. */
  read(): Message | undefined {
    const all = Buffer.concat(this.#chunks)
    const end = all.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const [first = '', ...lines] = all.subarray(0, end).toString('latin1').split('\r\n')
    const headers = lines.map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)] as const
    })
    return { first, headers, body: all.subarray(end + 4) }
  }
}

export interface RecordedExchange {
  readonly statement: Statement
  readonly at: number
  ruling?: Ruling
  endedAt?: number
  durationMs?: number
  error?: string
  readonly sides: Readonly<Record<Side, RecordedMessage>>
  readonly marks: { readonly name: string; readonly detail: string }[]
}

/** Each exchange when it is over; those that never ended come last. */
export async function* exchangesOf(frames: AsyncIterable<Frame>): AsyncGenerator<RecordedExchange> {
  const open = new Map<number, RecordedExchange>()
  for await (const frame of frames) {
    if (frame.kind === 'statement') {
      const sides = { client: new RecordedMessage(), upstream: new RecordedMessage() }
      open.set(frame.statement.id, { statement: frame.statement, at: frame.at, sides, marks: [] })
      continue
    }
    const exchange = open.get('statement' in frame ? frame.statement : frame.channel)
    if (exchange === undefined) continue
    if (frame.kind === 'ruling') exchange.ruling = frame.ruling
    else if (frame.kind === 'bytes') exchange.sides[frame.from].add(frame.bytes)
    else if (frame.kind === 'mark') exchange.marks.push({ name: frame.name, detail: frame.detail })
    else {
      exchange.endedAt = frame.at
      exchange.durationMs = frame.durationMs
      if (frame.error !== undefined) exchange.error = frame.error
      open.delete(exchange.statement.id)
      yield exchange
    }
  }
  yield* open.values()
}
