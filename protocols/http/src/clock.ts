// A connection that asks for nothing is closed: soon where it never asked, later where it may ask again. Slow headers count as asking nothing.

import type { Duplex } from 'node:stream'

interface Ending {
  once(event: 'close', listener: () => void): unknown
}

export class Clock {
  readonly #stream: Duplex
  readonly #againMs: number
  #running = 0
  #timer: NodeJS.Timeout | undefined

  constructor(stream: Duplex, firstMs: number, againMs: number) {
    this.#stream = stream
    this.#againMs = againMs
    this.#arm(firstMs)
    stream.once('close', () => clearTimeout(this.#timer))
  }

  /** A request has come whole but for its body; the clock stands until it is answered. */
  begin(answer: Ending): void {
    this.#running += 1
    clearTimeout(this.#timer)
    answer.once('close', () => {
      this.#running -= 1
      if (this.#running === 0 && !this.#stream.destroyed) this.#arm(this.#againMs)
    })
  }

  closeIfQuiet(): void {
    if (this.#running === 0) this.#stream.destroy()
  }

  /** Something else keeps the time from now on. */
  stop(): void {
    this.#running = Number.POSITIVE_INFINITY
    clearTimeout(this.#timer)
  }

  #arm(withinMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#stream.destroy(), withinMs).unref()
  }
}
