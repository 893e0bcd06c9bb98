// The shipper: brings the spool into the database, in a worker thread of its own. Gentle as long as it may lag; whatever goes wrong, it
// asks the database anew where it stands and goes on from there.

import { microseconds } from '@sallyport/core'
import { join } from 'node:path'
import { Ledger } from './ledger.js'
import { openNodeKey, readHead, writeHead } from './node-key.js'
import type { NodeKey } from './node-key.js'
import type { FrameSink, ShippedState } from './shipped.js'
import { SpoolReader } from './spool-reader.js'

/** What the main thread and the shipper share without a message; see `ShipperFlag`. Plain data, so that a worker can be given it. */
export interface ShipperStart {
  readonly home: string
  readonly node: string
  readonly flags: SharedArrayBuffer
}

/** Places in the shared flags. `idle`: the shipper waits for a message. `hurry`: someone waits for it, or the lag is large. */
export const ShipperFlag = { idle: 0, hurry: 1, count: 2 } as const

export type ShipperOrder = { readonly kind: 'go' } | { readonly kind: 'stop' }

export type ShipperReport =
  | { readonly kind: 'ready'; readonly position: number }
  | { readonly kind: 'shipped'; readonly position: number }
  | { readonly kind: 'stalled'; readonly message: string }
  | {
      readonly kind: 'log'
      readonly level: 'warn' | 'error'
      readonly message: string
      readonly facts: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'stopped' }

export interface ShipperPort {
  report(report: ShipperReport): void
  /** The listener is called for every order; at most one is ever registered. */
  onOrder(listener: (order: ShipperOrder) => void): void
}

/** Raw frames of one transaction: some four blocks, which takes Postgres a few tens of milliseconds. */
const BATCH_BYTES = 1024 * 1024
/** At most a third of the time at work: for each unit of work, two of rest. */
const REST_SHARE = 2
/** Rest between small batches, so that many statements share a transaction. */
const SHORTEST_REST_MS = 100
const LONGEST_REST_MS = 2_000
/** How often an idle shipper looks whether a live session needs a checkpoint. */
const IDLE_MS = 15_000
const TORN_RETRY_MS = 50
/** A whole batch appears within microseconds; what stays torn this long is damage in the newest segment. */
const TORN_RETRIES = 100
const FIRST_BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 10_000

class Shipper {
  readonly #start: ShipperStart
  readonly #sink: FrameSink
  readonly #port: ShipperPort
  readonly #flags: Int32Array
  readonly #key: NodeKey
  #stopping = false
  #wake: (() => void) | undefined
  #torn = 0

  constructor(start: ShipperStart, sink: FrameSink, port: ShipperPort) {
    this.#start = start
    this.#sink = sink
    this.#port = port
    this.#flags = new Int32Array(start.flags)
    this.#key = openNodeKey(start.home)
    port.onOrder((order) => {
      if (order.kind === 'stop') this.#stopping = true
      this.#wake?.()
    })
  }

  async run(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS
    while (!this.#stopping) {
      try {
        const state = await this.#sink.open({ name: this.#start.node, key: this.#key.id, publicKey: this.#key.publicKey })
        this.#compareHead(state)
        this.#port.report({ kind: 'ready', position: state.position })
        await this.#ship(state, () => (backoffMs = FIRST_BACKOFF_MS))
      } catch (error) {
        this.#port.report({ kind: 'stalled', message: error instanceof Error ? error.message : String(error) })
        await this.#wait(backoffMs)
        backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS)
      }
    }
    await this.#sink.close()
    this.#port.report({ kind: 'stopped' })
  }

  /** A database put back to an older state is told from one that only this node writes; verify will find what is missing. */
  #compareHead(state: ShippedState): void {
    const head = readHead(this.#start.home)
    if (head === undefined || head.key !== this.#key.id || head.number <= (state.checkpoint?.number ?? 0)) return
    this.#log(
      'error',
      'the database has fewer checkpoints than this node has written: it was put back to an older state or tampered with',
      {
        inDatabase: state.checkpoint?.number ?? 0,
        written: head.number,
      },
    )
  }

  #log(level: 'warn' | 'error', message: string, facts: Readonly<Record<string, unknown>>): void {
    this.#port.report({ kind: 'log', level, message, facts })
  }

  async #ship(state: ShippedState, succeeded: () => void): Promise<void> {
    const ledger = new Ledger(state, { node: this.#start.node, key: this.#key, now: microseconds })
    const reader = new SpoolReader(join(this.#start.home, 'spool'), state.position)
    try {
      while (!this.#stopping) {
        const began = performance.now()
        const position = this.#gather(ledger, reader)
        if (position === undefined && !ledger.unsealed) {
          await this.#idle()
          continue
        }
        Atomics.store(this.#flags, ShipperFlag.idle, 0)
        const batch = ledger.cut(position ?? reader.position)
        await this.#sink.write(batch)
        // What is shipped makes room first: on a disk that it filled itself nothing more could be written.
        reader.deleteBefore(batch.to)
        this.#port.report({ kind: 'shipped', position: batch.to })
        if (batch.checkpoints.length > 0) writeHead(this.#start.home, { key: this.#key.id, ...ledger.head })
        succeeded()
        await this.#rest(performance.now() - began)
      }
    } finally {
      reader.close()
    }
  }

  /** Reads up to a batch. Answers the position it reaches, or undefined where nothing was there. */
  #gather(ledger: Ledger, reader: SpoolReader): number | undefined {
    const from = reader.position
    while (ledger.gatheredBytes < BATCH_BYTES) {
      const read = reader.next()
      if (read.kind === 'batch') {
        this.#torn = 0
        ledger.take(read.frames)
        continue
      }
      if (read.kind === 'none') {
        this.#torn = read.torn ? this.#torn + 1 : 0
        break
      }
      this.#log(
        read.tail ? 'warn' : 'error',
        read.tail ? 'an unfinished last write was dropped' : 'a part of the spool cannot be read',
        read,
      )
      if (!read.tail) ledger.damaged(read.from, read.to)
    }
    return reader.position === from ? undefined : reader.position
  }

  /** Waits until the main thread has written, or a checkpoint is due. Looks once more after raising the flag, so no write is missed. */
  async #idle(): Promise<void> {
    if (this.#torn > TORN_RETRIES) throw new Error('the newest part of the spool cannot be read')
    if (this.#torn > 0) return this.#wait(TORN_RETRY_MS)
    if (Atomics.exchange(this.#flags, ShipperFlag.idle, 1) === 0) return
    await this.#wait(IDLE_MS)
    Atomics.store(this.#flags, ShipperFlag.idle, 0)
  }

  async #rest(workedMs: number): Promise<void> {
    if (Atomics.load(this.#flags, ShipperFlag.hurry) > 0) return
    await this.#wait(Math.min(Math.max(workedMs * REST_SHARE, SHORTEST_REST_MS), LONGEST_REST_MS))
  }

  /** Ends early on any order. */
  #wait(withinMs: number): Promise<void> {
    if (this.#stopping) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(done, withinMs)
      this.#wake = done
    })
  }
}

/** Resolves after a `stop`. Throws Misconfigured where the node's key cannot be read. */
export function runShipper(start: ShipperStart, sink: FrameSink, port: ShipperPort): Promise<void> {
  return new Shipper(start, sink, port).run()
}
