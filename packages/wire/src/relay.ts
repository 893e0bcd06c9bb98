// The one place where a Wire meets sockets, promises and the recording. Each batch of steps is performed without yielding, recorded,
// made durable, and only then written: one write a side and turn. A side is read again only when the other has drained.

import type { Duplex } from 'node:stream'
import { isKnownError } from '@sallyport/core'
import type { Session, Settled, Side } from '@sallyport/core'
import { letGo } from './let-go.js'
import type { StatementEnd, Step, Wire } from './steps.js'

/** Client bytes kept while a question is open, so that a hang-up is still seen; then the client is not read (style.md, fact 3). */
const heldLimitBytes = 256 * 1024
/** Up to this size pieces are joined into one write: cheaper than a writev of many small ones. */
const joinLimitBytes = 64 * 1024
/** An upstream that hung up while its last bytes were being made durable is looked at again after this. */
const settlingPollMs = 10

export interface RelayParts<Question, Answer> {
  readonly wire: Wire<Question, Answer>
  readonly session: Session
  readonly client: Duplex
  readonly upstream: Duplex
  /** Bytes that were read ahead during the handshakes. */
  readonly early: Readonly<Record<Side, Buffer>>
  /** Must not reject for anything but a bug. */
  readonly judge: (question: Question) => Settled<Answer>
  readonly cancel: () => Promise<void>
  readonly outcome: (end: StatementEnd) => void
  /** The client is gone: whatever waits for it is withdrawn. */
  readonly clientGone: () => void
  /** The upstream hung up: what to tell the client; undefined where the upstream itself has said why. */
  readonly upstreamGone: () => Error | undefined
  /** How this error reads to the client, in its protocol; undefined: not at all. */
  readonly wordError: (error: unknown) => Buffer | undefined
  readonly idleMs: number
  readonly idleError: () => Error
}

const other = (side: Side): Side => (side === 'client' ? 'upstream' : 'client')

/** Runs until either side ends, the session is ended, or something fails. Resolves with how it ended; throws only bugs. */
export function relay<Question, Answer>(parts: RelayParts<Question, Answer>): RelayRun<Question> {
  const run = new Relay(parts)
  return { done: run.start(), cancel: () => run.cancel(), perform: (steps) => run.attempt(steps) }
}

export interface RelayRun<Question> {
  readonly done: Promise<{ readonly outcome: string; readonly bug?: unknown }>
  /** Passes a cancel request on, keeping later statements back until it has been delivered. */
  cancel(): Promise<void>
  /** Steps that the protocol itself has the wire make (a notice), in their turn. */
  perform(steps: () => Step<Question>[]): void
}

/** Why a side is not being read. */
type Pause = 'drain' | 'settling' | 'held'

class Relay<Question, Answer> {
  readonly #parts: RelayParts<Question, Answer>
  readonly #pauses: Record<Side, Set<Pause>> = { client: new Set(), upstream: new Set() }
  readonly #out: Record<Side, Buffer[]> = { client: [], upstream: [] }
  readonly #waiting: { from: Side; chunk: Buffer }[] = []
  #flushing = false
  #settling = false
  #over = false
  #endAfterFlush: string | undefined
  #lastActivity = performance.now()
  #idleTimer: NodeJS.Timeout | undefined
  #cancelling: Promise<void> | undefined
  #finish: (end: { outcome: string; bug?: unknown }) => void = () => {}

  constructor(parts: RelayParts<Question, Answer>) {
    this.#parts = parts
  }

  start(): Promise<{ outcome: string; bug?: unknown }> {
    const { session, early } = this.#parts
    const done = new Promise<{ outcome: string; bug?: unknown }>((resolve) => (this.#finish = resolve))
    for (const side of ['client', 'upstream'] as const) {
      const stream = this.#parts[side]
      stream.on('data', (chunk: Buffer) => this.#receive(side, chunk))
      stream.on('drain', () => this.#unpause(other(side), 'drain'))
      stream.on('end', () => this.#closed(side))
      stream.on('close', () => this.#closed(side))
      stream.on('error', () => this.#closed(side))
    }
    const ended = (): void => this.#fail(session.signal.reason)
    if (session.signal.aborted) ended()
    else session.signal.addEventListener('abort', ended, { once: true })
    void done.then(() => session.signal.removeEventListener('abort', ended))
    if (this.#parts.idleMs > 0) this.#watchIdle(this.#parts.idleMs)
    if (early.upstream.length > 0) this.#receive('upstream', early.upstream)
    if (early.client.length > 0) this.#receive('client', early.client)
    return done
  }

  /** One at a time: each is a connection to the target, and none may be on its way when the next statement leaves. */
  cancel(): Promise<void> {
    this.#cancelling ??= this.#cancel().finally(() => (this.#cancelling = undefined))
    return this.#cancelling
  }

  async #cancel(): Promise<void> {
    this.#parts.wire.hold()
    try {
      await this.#parts.cancel()
    } finally {
      this.attempt(() => this.#parts.wire.release())
    }
  }

  #receive(from: Side, chunk: Buffer): void {
    if (this.#over) return
    this.#lastActivity = performance.now()
    if (this.#settling) this.#waiting.push({ from, chunk })
    else this.attempt(() => this.#parts.wire.receive(from, chunk))
  }

  /** Every way into the wire passes here: what it throws ends this session and nothing else. */
  attempt(steps: () => Step<Question>[]): void {
    if (this.#over) return
    try {
      this.#perform(steps())
    } catch (error) {
      this.#fail(error)
    }
  }

  #perform(first: Step<Question>[]): void {
    let steps: Step<Question>[] | undefined = first
    while (steps !== undefined) {
      const question = this.#performBatch(steps)
      steps = undefined
      if (question === undefined) break
      const answer = this.#parts.judge(question)
      if (answer instanceof Promise) {
        answer.then(
          (later) => this.attempt(() => this.#parts.wire.rule(later)),
          (error: unknown) => this.#fail(error),
        )
      } else steps = this.#parts.wire.rule(answer)
    }
    this.#flushSoon()
  }

  #performBatch(steps: readonly Step<Question>[]): Question | undefined {
    for (const step of steps) {
      switch (step.kind) {
        case 'send':
          this.#out[step.to].push(step.bytes)
          break
        case 'keep':
          this.#parts.session.record('client', step.bytes)
          break
        case 'outcome':
          this.#recordOut()
          this.#parts.outcome(step.outcome)
          break
        case 'mark':
          this.#parts.session.mark(step.name, step.detail)
          break
        case 'cancel':
          void this.cancel().catch((error: unknown) => this.#fail(error))
          break
        case 'end':
          this.#endAfterFlush = step.outcome
          break
        case 'judge':
          return step.question
      }
    }
    return undefined
  }

  /** Bytes for the client that are queued but not yet in the record: they go in before the outcome that follows them. */
  #recorded = 0

  #recordOut(): void {
    const pieces = this.#out.client
    if (this.#recorded === pieces.length) return
    const fresh = pieces.splice(this.#recorded)
    const joined = join(fresh)
    for (const piece of joined) this.#parts.session.record('upstream', piece)
    pieces.push(...joined)
    this.#recorded = pieces.length
  }

  /** Once a turn of the event loop: whatever other sessions recorded in the same turn becomes durable with the same write. */
  #flushSoon(): void {
    if (this.#flushing || this.#settling || this.#over) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      try {
        this.#flush()
      } catch (error) {
        this.#fail(error)
      }
    })
  }

  #flush(): void {
    if (this.#settling || this.#over) return
    this.#recordOut()
    const settled = this.#parts.session.settled()
    if (settled === undefined) {
      this.#write()
      return
    }
    this.#settling = true
    this.#pause('client', 'settling')
    this.#pause('upstream', 'settling')
    settled.then(() => this.#afterSettling()).catch((error: unknown) => this.#fail(error))
  }

  #afterSettling(): void {
    if (this.#over) return
    this.#settling = false
    this.#write()
    this.#unpause('client', 'settling')
    this.#unpause('upstream', 'settling')
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { from, chunk } = next
      this.attempt(() => this.#parts.wire.receive(from, chunk))
      if (this.#settling) return
    }
    // Answers that came while settling left their bytes in the queue.
    if (this.#out.client.length > 0 || this.#out.upstream.length > 0) this.#flushSoon()
  }

  #write(): void {
    this.#recorded = 0
    for (const side of ['upstream', 'client'] as const) {
      const pieces = this.#out[side]
      if (pieces.length === 0) continue
      this.#out[side] = []
      if (!writeAll(this.#parts[side], join(pieces))) this.#pause(other(side), 'drain')
    }
    this.#minding()
    if (this.#endAfterFlush !== undefined) this.#end(this.#endAfterFlush)
  }

  /** Reads on while a question is open, so that a hang-up is seen, but only up to a limit. */
  #minding(): void {
    const { wire } = this.#parts
    if (wire.clientHeld && wire.held > heldLimitBytes) this.#pause('client', 'held')
    else this.#unpause('client', 'held')
    if (wire.upstreamHeld) this.#pause('upstream', 'held')
    else this.#unpause('upstream', 'held')
  }

  #pause(side: Side, why: Pause): void {
    this.#pauses[side].add(why)
    this.#parts[side].pause()
  }

  #unpause(side: Side, why: Pause): void {
    if (this.#pauses[side].delete(why) && this.#pauses[side].size === 0) this.#parts[side].resume()
  }

  #watchIdle(idleMs: number): void {
    const quietMs = performance.now() - this.#lastActivity
    if (quietMs >= idleMs) this.#fail(this.#parts.idleError())
    else this.#idleTimer = setTimeout(() => this.#watchIdle(idleMs), idleMs - quietMs).unref()
  }

  #closed(side: Side): void {
    if (this.#over) return
    // What was read before the end still goes out.
    if (this.#flushing) setImmediate(() => this.#closed(side))
    else if (side === 'client') this.#end('client disconnected')
    else if (this.#settling) setTimeout(() => this.#closed(side), settlingPollMs)
    else this.#upstreamGone()
  }

  #upstreamGone(): void {
    const error = this.#parts.upstreamGone()
    if (error === undefined) this.#end('upstream disconnected')
    else this.#fail(error)
  }

  #fail(error: unknown): void {
    if (this.#over) return
    const known = isKnownError(error)
    const words = this.#parts.wordError(error)
    if (words !== undefined && !this.#parts.client.destroyed) {
      this.#recordLast(words)
      this.#parts.client.write(words)
    }
    this.#end(known ? error.code : 'gateway fault', known ? undefined : error)
  }

  /** The words that end a session go to the client even where nothing can be recorded any more: they say just that. */
  #recordLast(words: Buffer): void {
    try {
      this.#parts.session.record('upstream', words)
    } catch (error) {
      if (!isKnownError(error)) throw error
    }
  }

  #end(outcome: string, bug?: unknown): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#idleTimer)
    this.#parts.clientGone()
    for (const side of ['client', 'upstream'] as const) letGo(this.#parts[side])
    this.#finish(bug === undefined ? { outcome } : { outcome, bug })
  }
}

/** One buffer where they are small together, else as they are. */
function join(pieces: readonly Buffer[]): readonly Buffer[] {
  if (pieces.length < 2) return pieces
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return size <= joinLimitBytes ? [Buffer.concat(pieces, size)] : pieces
}

function writeAll(stream: Duplex, pieces: readonly Buffer[]): boolean {
  if (stream.destroyed || stream.writableEnded) return true
  if (pieces.length > 1) stream.cork()
  let open = true
  for (const piece of pieces) open = stream.write(piece)
  if (pieces.length > 1) stream.uncork()
  return open
}
