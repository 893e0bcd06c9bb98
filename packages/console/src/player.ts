// Plays a transcript: lines are taken from the gateway as they are needed, and only the last of those shown are kept, so a session of
// any length plays in little memory. Knows no page and no clock; it is given both.

import type { Line } from './shapes.js'
import { cut } from './visible.js'

/** What a person can scroll back in; further back, jump. */
const MAX_SHOWN = { lines: 1000, characters: 1_000_000 }
const MAX_AHEAD = { lines: 300, characters: 500_000 }
/** One row can be megabytes; nobody reads that in a replay. */
const MAX_LINE_CHARACTERS = 20_000
/** Nobody wants to watch a person think. */
const LONGEST_PAUSE_MS = 2000
/** In one go where there is no waiting: a frame of the screen. */
const FAST = { lines: 100, everyMs: 30 }

export type Speed = 1 | 2 | 4 | 16 | 'fast'

export interface ShownLine extends Line {
  /** Counts from where the replay was begun. */
  readonly number: number
  /** Characters that were left out. */
  readonly left: number
}

export interface PlayerParts {
  /** The transcript from this time on (microseconds). */
  readonly open: (from: number, signal: AbortSignal) => AsyncIterable<Line>
  /** Calls back once after this time; answers how to prevent it. */
  readonly after: (milliseconds: number, act: () => void) => () => void
  readonly changed: () => void
  readonly failed: (error: unknown) => void
}

export class Player {
  readonly #parts: PlayerParts
  #shown: ShownLine[] = []
  #ahead: Line[] = []
  #dropped = 0
  #count = 0
  #complete = false
  #playing = false
  #speed: Speed = 4
  #reading = new AbortController()
  #roomy: (() => void) | undefined
  #unplan: (() => void) | undefined

  constructor(parts: PlayerParts) {
    this.#parts = parts
  }

  get shown(): readonly ShownLine[] {
    return this.#shown
  }

  /** Lines that were shown and are not kept. */
  get dropped(): number {
    return this.#dropped
  }

  get playing(): boolean {
    return this.#playing
  }

  get speed(): Speed {
    return this.#speed
  }

  /** Everything there is has been shown. */
  get ended(): boolean {
    return this.#complete && this.#ahead.length === 0
  }

  /** Microseconds; where the replay is. */
  get at(): number | undefined {
    return this.#shown.at(-1)?.at
  }

  setSpeed(speed: Speed): void {
    this.#speed = speed
    this.#plan()
    this.#parts.changed()
  }

  play(): void {
    this.#playing = true
    this.#plan()
    this.#parts.changed()
  }

  pause(): void {
    this.#playing = false
    this.#plan()
    this.#parts.changed()
  }

  /** The next line at once. */
  step(): void {
    this.#playing = false
    this.#advance(1)
  }

  /** Begins again at this time (microseconds); plays on if it played. */
  seek(from: number): void {
    this.stop()
    this.#reading = new AbortController()
    this.#shown = []
    this.#ahead = []
    this.#dropped = 0
    this.#count = 0
    this.#complete = false
    void this.#read(from, this.#reading.signal)
    this.#parts.changed()
  }

  stop(): void {
    this.#unplan?.()
    this.#unplan = undefined
    this.#reading.abort()
    this.#roomy?.()
  }

  async #read(from: number, signal: AbortSignal): Promise<void> {
    try {
      for await (const line of this.#parts.open(from, signal)) {
        if (signal.aborted) return
        this.#ahead.push(line)
        if (this.#ahead.length === 1) this.#plan()
        while (!this.#hasRoom() && !signal.aborted) await new Promise<void>((resolve) => (this.#roomy = resolve))
      }
    } catch (error) {
      if (!signal.aborted) this.#parts.failed(error)
    }
    if (signal.aborted) return
    this.#complete = true
    this.#plan()
    this.#parts.changed()
  }

  #hasRoom(): boolean {
    return this.#ahead.length < MAX_AHEAD.lines && characters(this.#ahead) < MAX_AHEAD.characters
  }

  /** Sets the clock for the next line, if one is to come by itself. */
  #plan(): void {
    this.#unplan?.()
    this.#unplan = undefined
    const next = this.#ahead[0]
    if (this.ended) this.#playing = false
    if (!this.#playing || next === undefined) return
    const fast = this.#speed === 'fast'
    const waitMs = this.#speed === 'fast' ? FAST.everyMs : this.#gapMs(next) / this.#speed
    this.#unplan = this.#parts.after(waitMs, () => this.#advance(fast ? FAST.lines : this.#together(next.at)))
  }

  #gapMs(next: Line): number {
    const last = this.#shown.at(-1)
    return last === undefined ? 0 : Math.min(LONGEST_PAUSE_MS, Math.max(0, (next.at - last.at) / 1000))
  }

  /** Lines of the same moment come together: rows of one answer. */
  #together(at: number): number {
    const other = this.#ahead.findIndex((line) => line.at > at + 1000)
    return Math.min(FAST.lines, other < 0 ? this.#ahead.length : Math.max(1, other))
  }

  #advance(lines: number): void {
    const next = this.#ahead.splice(0, lines).map((line) => {
      const { text, left } = cut(line.text, MAX_LINE_CHARACTERS)
      return { ...line, text, left, number: this.#count++ }
    })
    this.#shown = this.#kept([...this.#shown, ...next])
    this.#roomy?.()
    this.#plan()
    this.#parts.changed()
  }

  #kept(lines: ShownLine[]): ShownLine[] {
    let from = Math.max(0, lines.length - MAX_SHOWN.lines)
    let length = characters(lines.slice(from))
    for (; length > MAX_SHOWN.characters && from < lines.length - 1; from++) length -= lines[from]?.text.length ?? 0
    this.#dropped += from
    return from === 0 ? lines : lines.slice(from)
  }
}

function characters(lines: readonly Line[]): number {
  return lines.reduce((sum, { text }) => sum + text.length, 0)
}
