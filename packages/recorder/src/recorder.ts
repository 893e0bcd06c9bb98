// The main thread's side of the record: frames go into the spool, and nothing goes on that is not as durable as its target asks.
// Where the record cannot be kept, every open recording is told, and none is opened until it can be again.

import { microseconds, RecordingFailed } from '@sallyport/core'
import type { Durability, Frame, RecordedSession, Recording, Settled } from '@sallyport/core'
import { join } from 'node:path'
import { defaultLimits } from './recorder-options.js'
import type { LocalRecorder, RecorderLimits, RecorderOptions, RecorderStatus } from './recorder-options.js'
import { MAX_FRAME_BYTES, encodeClosed, encodeFrame, encodeOpened, encodeStarted } from './codec.js'
import { ShipperLink } from './shipper-link.js'
import type { ShipperReport } from './shipper.js'
import { Spool, makeSpoolDirectory, spoolEnd } from './spool.js'
import { PositionWaits } from './waits.js'

/** What a session may append before it must be written, whether it settles or not. */
const BUFFERED_BYTES = 1024 * 1024
const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 15_000
const CHECK_MS = 1_000
const LARGEST_NUMBER = 0xffff_ffff

function failed(code: string, message: string, cause?: unknown): RecordingFailed {
  return new RecordingFailed(code, message, { cause })
}

interface Open {
  readonly number: number
  readonly id: string
  readonly onFailure: (error: Error) => void
  failure: RecordingFailed | undefined
}

class SpoolRecorder implements LocalRecorder {
  readonly #options: RecorderOptions
  readonly #limits: RecorderLimits
  readonly #link: ShipperLink
  readonly #open = new Map<number, Open>()
  /** Recordings that a failure cut off, until their end could be written. */
  #cutOff: Open[] = []
  readonly #waits = new PositionWaits()
  readonly #check: NodeJS.Timeout
  #spool: Spool | undefined
  #shipped = 0
  #numbers = 0
  #failure: RecordingFailed | undefined
  #stalled: { readonly since: number; readonly message: string } | undefined
  #ready: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined
  /** For sessions that must wait until the shipper has caught up. */
  readonly #slow = new PositionWaits()

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#limits = { ...defaultLimits, ...options.limits }
    makeSpoolDirectory(join(options.home, 'spool'))
    this.#link = new ShipperLink(options.startShipper, options.home, options.node, {
      onReport: (report) => this.#reported(report),
      onGivenUp: (reason) => {
        const error = failed('shipper-died', `the record cannot be shipped: ${reason}`)
        this.#ready?.reject(error)
        this.#fail(error)
      },
    })
    this.#check = setInterval(() => this.#checkAgain(), CHECK_MS)
    this.#check.unref()
  }

  /** Begins a segment of its own once the database has said how far it is. */
  async begin(): Promise<void> {
    const timer = setTimeout(
      () =>
        this.#ready?.reject(
          failed('database-gone', `the database cannot be reached: ${this.#stalled?.message ?? 'it does not answer'}`),
        ),
      READY_WITHIN_MS,
    )
    await new Promise<void>((resolve, reject) => (this.#ready = { resolve, reject })).finally(() => clearTimeout(timer))
    const directory = join(this.#options.home, 'spool')
    const end = spoolEnd(directory)
    if (end < this.#shipped && end > 0)
      this.#options.log('warn', 'the spool is older than the database: its newest part is gone', { end })
    this.#spool = new Spool(directory, Math.max(end, this.#shipped), this.#limits.segmentBytes)
    encodeStarted(this.#spool.out, microseconds())
    this.#spool.write()
    this.#link.wake()
  }

  get #begun(): Spool {
    if (this.#spool === undefined) throw failed('not-begun', 'the recorder has not begun')
    return this.#spool
  }

  get status(): RecorderStatus {
    const position = this.#spool?.position ?? this.#shipped
    return {
      recordings: this.#open.size,
      position,
      shipped: this.#shipped,
      failure: this.#failure?.message,
      stalled: this.#stalled?.message,
    }
  }

  open(session: RecordedSession, onFailure: (error: Error) => void): Recording {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#numbers === LARGEST_NUMBER)
      throw failed('numbers-used-up', 'this process has recorded all sessions it can number; restart it')
    const open: Open = { number: ++this.#numbers, id: session.id, onFailure, failure: undefined }
    this.#open.set(open.number, open)
    encodeOpened(this.#begun.out, open.number, this.#options.node, session)
    return new SpoolRecording(this, open, session.target.durability)
  }

  append(open: Open, frame: Frame): void {
    if (open.failure !== undefined) return
    const { out } = this.#begun
    const before = out.length
    encodeFrame(out, open.number, frame)
    if (frame.kind !== 'bytes' && out.length - before > MAX_FRAME_BYTES) {
      out.length = before
      return this.#cut(open, failed('frame-too-large', `one ${frame.kind} is larger than ${MAX_FRAME_BYTES} bytes`))
    }
    if (out.length > BUFFERED_BYTES) this.#write()
  }

  /** Writes what is buffered and answers when it is as durable as asked. Throws RecordingFailed where it cannot be. */
  settled(open: Open, durability: Durability): Settled<void> {
    if (open.failure !== undefined) throw open.failure
    this.#write()
    if (open.failure !== undefined) throw open.failure
    const position = this.#begun.position
    const slowed =
      position - this.#shipped > this.#limits.slowBytes ? this.#slow.until(position - this.#limits.slowBytes / 2) : undefined
    if (durability === 'process') return slowed
    const durable = durability === 'disk' ? this.#sync(position) : this.#wait(position)
    if (durable === undefined) return slowed
    return slowed === undefined ? durable : Promise.all([durable, slowed]).then(() => undefined)
  }

  /** Ends a recording; resolves also where its end could not be written, for then it has been told so. */
  async close(open: Open, outcome: string, durability: Durability): Promise<void> {
    if (!this.#open.delete(open.number) || open.failure !== undefined) return
    encodeClosed(this.#begun.out, open.number, microseconds(), outcome)
    this.#write()
    if (durability === 'disk') await this.#sync(this.#begun.position)?.catch(() => undefined)
    if (durability === 'database') await this.#wait(this.#begun.position)?.catch(() => undefined)
  }

  #write(): void {
    try {
      this.#begun.write()
    } catch (error) {
      this.#fail(failed('spool-write', `the spool cannot be written: ${(error as Error).message}`, error))
      return
    }
    this.#link.wake()
    const lag = this.#begun.position - this.#shipped
    if (lag > this.#limits.fullBytes)
      this.#fail(failed('spool-full', `${lag} bytes wait to be shipped: the database is too slow or gone`))
    else if (lag > this.#limits.hurryBytes) this.#link.hurry(true)
  }

  #sync(position: number): Promise<void> | undefined {
    if (this.#begun.synced >= position) return undefined
    return this.#begun.sync().catch((error: unknown) => {
      const failure = failed('spool-sync', `the spool cannot be brought to the disk: ${(error as Error).message}`, error)
      this.#fail(failure)
      throw failure
    })
  }

  #wait(position: number): Promise<void> | undefined {
    if (this.#shipped >= position) return undefined
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const wait = this.#waits.until(position)
    this.#link.hurry(true)
    return wait
  }

  shipped(): Promise<void> {
    this.#write()
    if (this.#failure !== undefined && this.#begun.buffered > 0) return Promise.reject(this.#failure)
    return this.#wait(this.#begun.position) ?? Promise.resolve()
  }

  #reported(report: ShipperReport): void {
    switch (report.kind) {
      case 'ready':
      case 'shipped':
        this.#shipped = Math.max(this.#shipped, report.position)
        this.#stalled = undefined
        this.#ready?.resolve()
        this.#advanced()
        return
      case 'stalled':
        if (this.#stalled === undefined)
          this.#options.log('warn', 'the database cannot be written; the record waits on disk', { error: report.message })
        this.#stalled = { since: this.#stalled?.since ?? performance.now(), message: report.message }
        return
      case 'log':
        this.#options.log(report.level, report.message, report.facts)
        return
      case 'stopped':
        return
    }
  }

  #advanced(): void {
    this.#waits.reached(this.#shipped)
    const lag = (this.#spool?.position ?? this.#shipped) - this.#shipped
    this.#slow.reached(this.#shipped)
    if (this.#waits.empty && lag < this.#limits.hurryBytes / 2) this.#link.hurry(false)
    if (this.#failure !== undefined && lag < this.#limits.slowBytes / 2) this.#recover()
  }

  /** Writes what the failure left unwritten and ends what it cut off; then recordings may be opened again. */
  #recover(): void {
    const ended = this.#cutOff.length
    if (!this.#endCutOff()) return
    this.#failure = undefined
    this.#link.wake()
    this.#options.log('info', 'recording works again', { ended })
  }

  /** False where the spool still cannot be written. Their ends stay buffered then, and are written at the next try. */
  #endCutOff(): boolean {
    const spool = this.#begun
    try {
      spool.write()
      for (const { number } of this.#cutOff) encodeClosed(spool.out, number, microseconds(), 'recording failed')
      this.#cutOff = []
      spool.write()
      return true
    } catch {
      return false
    }
  }

  #checkAgain(): void {
    if (
      this.#stalled !== undefined &&
      this.#failure === undefined &&
      performance.now() - this.#stalled.since > this.#limits.databaseGoneMs
    ) {
      this.#fail(failed('database-gone', `the database has been gone for too long: ${this.#stalled.message}`))
    }
    const lag = (this.#spool?.position ?? 0) - this.#shipped
    if (this.#failure !== undefined && this.#stalled === undefined && lag < this.#limits.slowBytes / 2) this.#recover()
  }

  /** Ends one recording for a reason of its own. */
  #cut(open: Open, failure: RecordingFailed): void {
    open.failure = failure
    this.#open.delete(open.number)
    this.#cutOff.push(open)
    // Not in the stack of the append or settle that noticed it.
    queueMicrotask(() => open.onFailure(failure))
    if (this.#failure === undefined) this.#endCutOff()
  }

  #fail(failure: RecordingFailed): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.#options.log('error', failure.message, { code: failure.code, recordings: this.#open.size })
    this.#waits.fail(failure)
    this.#slow.fail(failure)
    for (const open of this.#open.values()) this.#cut(open, failure)
  }

  async stop(): Promise<void> {
    if (this.#spool !== undefined) await this.#shipRest()
    clearInterval(this.#check)
    await this.#link.stop()
    await this.#spool?.close()
    const stopped = failed('stopped', 'the recorder has stopped')
    this.#failure ??= stopped
    this.#waits.fail(stopped)
    this.#slow.fail(stopped)
  }

  async #shipRest(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(failed('database-gone', 'the database took too long')), STOP_WITHIN_MS)
    })
    await Promise.race([late, this.shipped()])
      .catch((error: Error) =>
        this.#options.log('warn', 'the rest of the spool is shipped at the next start', { error: error.message }),
      )
      .finally(() => clearTimeout(timer))
  }
}

class SpoolRecording implements Recording {
  readonly #recorder: SpoolRecorder
  readonly #open: Open
  readonly #durability: Durability

  constructor(recorder: SpoolRecorder, open: Open, durability: Durability) {
    this.#recorder = recorder
    this.#open = open
    this.#durability = durability
  }

  append(frame: Frame): void {
    this.#recorder.append(this.#open, frame)
  }

  settled(): Settled<void> {
    return this.#recorder.settled(this.#open, this.#durability)
  }

  close(outcome: string): Promise<void> {
    return this.#recorder.close(this.#open, outcome, this.#durability)
  }
}

/** Throws RecordingFailed where the database cannot be reached at the start, Misconfigured where the home cannot be used. */
export async function openRecorder(options: RecorderOptions): Promise<LocalRecorder> {
  const recorder = new SpoolRecorder(options)
  try {
    await recorder.begin()
    return recorder
  } catch (error) {
    await recorder.stop()
    throw error
  }
}
