// What the client sends on a channel: read at once, so that a hang-up is seen, and kept up to a limit until it may go on.

import type { ServerChannel } from 'ssh2'

/** Of a command that waits for people. More stays in the client, held back by the channel's window. */
const maxHeldBytes = 256 * 1024

export interface Sink {
  /** false: wait for `resume`. */
  write(bytes: Buffer): boolean
  end(): void
}

export class HeldInput {
  readonly #stream: ServerChannel
  #held: Buffer[] = []
  #heldBytes = 0
  #ended = false
  #sink: Sink | undefined

  constructor(stream: ServerChannel) {
    this.#stream = stream
    stream.on('data', (bytes: Buffer) => this.#take(bytes))
    stream.on('end', () => {
      this.#ended = true
      this.#sink?.end()
    })
  }

  /** Lets go what was held, and all that follows. */
  release(sink: Sink): void {
    this.#sink = sink
    const held = this.#held
    this.#held = []
    this.#heldBytes = 0
    let more = true
    for (const bytes of held) more = sink.write(bytes) && more
    if (this.#ended) sink.end()
    else if (more) this.#stream.resume()
    else this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  /** Nobody wants it any more: read and forget, so that the end is still seen. */
  drop(): void {
    this.release({ write: () => true, end: () => {} })
  }

  #take(bytes: Buffer): void {
    if (this.#sink !== undefined) {
      if (!this.#sink.write(bytes)) this.#stream.pause()
      return
    }
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes >= maxHeldBytes) this.#stream.pause()
  }
}
