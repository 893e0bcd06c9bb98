// Promises that resolve when the shipper has passed a position.

interface Wait {
  readonly position: number
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Bounded by the number of recordings: each waits for one position at a time, and waits for the same position are one. */
export class PositionWaits {
  #waits: Wait[] = []

  get empty(): boolean {
    return this.#waits.length === 0
  }

  /** Positions asked for only grow. */
  until(position: number): Promise<void> {
    const last = this.#waits.at(-1)
    if (last !== undefined && last.position >= position) return last.promise
    let resolve: () => void = () => undefined
    let reject: (error: Error) => void = () => undefined
    const promise = new Promise<void>((done, fail) => {
      resolve = done
      reject = fail
    })
    // Whoever asked may have gone meanwhile; the rejection is then nobody's.
    promise.catch(() => undefined)
    this.#waits.push({ position, promise, resolve, reject })
    return promise
  }

  reached(position: number): void {
    const met = this.#waits.findIndex((wait) => wait.position > position)
    const done = this.#waits.splice(0, met < 0 ? this.#waits.length : met)
    for (const wait of done) wait.resolve()
  }

  fail(error: Error): void {
    const waits = this.#waits
    this.#waits = []
    for (const wait of waits) wait.reject(error)
  }
}
