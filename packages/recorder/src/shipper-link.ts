// The main thread's end of the shipper: starts its thread, starts it again when it dies, a bounded number of times, and wakes it.

import { ShipperFlag } from './shipper.js'
import type { ShipperOrder, ShipperReport, ShipperStart } from './shipper.js'

/** A running shipper. `onEnd` is told once, when it is over for whatever reason. */
export interface ShipperThread {
  order(order: ShipperOrder): void
  onReport(listener: (report: ShipperReport) => void): void
  onEnd(listener: (reason: string) => void): void
  terminate(): Promise<void>
}

export type StartShipper = (start: ShipperStart) => ShipperThread

export interface ShipperEvents {
  onReport(report: ShipperReport): void
  /** It died too often and is not started again for a while. */
  onGivenUp(reason: string): void
}

const RESTARTS = 5
const FIRST_BACKOFF_MS = 100
/** A shipper that has run this long is taken to be well again. After giving up, it is also when the next try is made. */
const WELL_AFTER_MS = 60_000
const STOP_WITHIN_MS = 5_000

export class ShipperLink {
  readonly #start: StartShipper
  readonly #config: ShipperStart
  readonly #events: ShipperEvents
  readonly #flags: Int32Array
  #thread: ShipperThread
  #startedAt = performance.now()
  #deaths = 0
  #stopping = false
  #retry: NodeJS.Timeout | undefined
  #ended: () => void = () => undefined

  constructor(start: StartShipper, home: string, node: string, events: ShipperEvents) {
    const flags = new SharedArrayBuffer(ShipperFlag.count * 4)
    this.#start = start
    this.#events = events
    this.#config = { home, node, flags }
    this.#flags = new Int32Array(flags)
    this.#thread = this.#launch()
  }

  #launch(): ShipperThread {
    const thread = this.#start(this.#config)
    this.#startedAt = performance.now()
    Atomics.store(this.#flags, ShipperFlag.idle, 0)
    thread.onReport((report) => this.#events.onReport(report))
    thread.onEnd((reason) => this.#died(reason))
    return thread
  }

  #died(reason: string): void {
    this.#ended()
    if (this.#stopping) return
    this.#deaths = performance.now() - this.#startedAt > WELL_AFTER_MS ? 1 : this.#deaths + 1
    const givenUp = this.#deaths > RESTARTS
    if (givenUp) this.#events.onGivenUp(reason)
    else this.#events.onReport({ kind: 'log', level: 'error', message: 'the shipper died and is started again', facts: { reason } })
    const backoffMs = givenUp ? WELL_AFTER_MS : FIRST_BACKOFF_MS * 2 ** this.#deaths
    this.#retry = setTimeout(() => (this.#thread = this.#launch()), backoffMs)
    this.#retry.unref()
  }

  /** Tells the shipper that there is something to read; costs one atomic load unless it sleeps. */
  wake(): void {
    if (Atomics.load(this.#flags, ShipperFlag.idle) === 1 && Atomics.exchange(this.#flags, ShipperFlag.idle, 0) === 1) {
      this.#thread.order({ kind: 'go' })
    }
  }

  hurry(hurry: boolean): void {
    const was = Atomics.exchange(this.#flags, ShipperFlag.hurry, hurry ? 1 : 0)
    // It may be resting between two batches, which is not idle.
    if (hurry && was === 0) this.#thread.order({ kind: 'go' })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#retry)
    const ended = new Promise<void>((resolve) => (this.#ended = resolve))
    this.#thread.order({ kind: 'stop' })
    const timer = setTimeout(() => this.#ended(), STOP_WITHIN_MS)
    await ended
    clearTimeout(timer)
    await this.#thread.terminate()
  }
}
