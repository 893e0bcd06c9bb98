// The replay of a session, as its client saw it: play, pause, speed, step, and a way to any moment.

import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks'
import type { TargetedEvent } from 'preact'
import { useConsole } from '../console.js'
import { toldOf } from '../gateway.js'
import { Trouble } from '../parts/asking.js'
import { Code } from '../parts/shown.js'
import { Player } from '../player.js'
import type { ShownLine, Speed } from '../player.js'
import type { Line, SessionSummary } from '../shapes.js'
import { elapsed } from '../words.js'

interface ReplayParts {
  readonly session: SessionSummary
  /** Microseconds; set for a moment to have it begin there. */
  readonly playFrom: number | undefined
  readonly onPlayed: () => void
}

export function Replay({ session, playFrom, onPlayed }: ReplayParts) {
  const { player, trouble } = usePlayer(session.id)
  const startedMs = Date.parse(session.startedAt)
  const begun = useRef(false)
  const begin = (from: number): void => {
    begun.current = true
    player.seek(from)
  }
  useEffect(() => {
    if (playFrom === undefined) return
    begin(playFrom)
    player.play()
    onPlayed()
  }, [playFrom])
  const play = (): void => {
    if (!begun.current || player.ended) begin(0)
    player.play()
  }
  return (
    <section class="replay" aria-labelledby="replay">
      <h2 id="replay">Replay</h2>
      <Controls player={player} session={session} play={play} begin={begin} />
      {trouble !== undefined && <Trouble text={trouble} />}
      <Screen player={player} startedMs={startedMs} />
    </section>
  )
}

function usePlayer(id: string): { readonly player: Player; readonly trouble: string | undefined } {
  const { gateway } = useConsole()
  const [, changed] = useReducer((turn: number) => turn + 1, 0)
  const [trouble, setTrouble] = useState<string | undefined>(undefined)
  const player = useMemo(
    () =>
      new Player({
        open: (from, signal) => {
          setTrouble(undefined)
          return gateway.lines<Line>(`/sessions/${encodeURIComponent(id)}/replay?from=${Math.max(0, Math.floor(from))}`, signal)
        },
        after: (milliseconds, act) => {
          const timer = setTimeout(act, milliseconds)
          return () => clearTimeout(timer)
        },
        changed: () => changed(0),
        failed: (error) => setTrouble(toldOf(error)),
      }),
    [gateway, id],
  )
  useEffect(() => () => player.stop(), [player])
  return { player, trouble }
}

const SPEEDS: readonly (readonly [value: Speed, name: string])[] = [
  [1, '1×'],
  [2, '2×'],
  [4, '4×'],
  [16, '16×'],
  ['fast', 'no waiting'],
]

interface ControlsParts {
  readonly player: Player
  readonly session: SessionSummary
  readonly play: () => void
  readonly begin: (from: number) => void
}

function Controls({ player, session, play, begin }: ControlsParts) {
  const startedMs = Date.parse(session.startedAt)
  const lengthMs = Math.max(1, (session.endedAt === null ? Date.now() : Date.parse(session.endedAt)) - startedMs)
  const atMs = Math.min(lengthMs, Math.max(0, (player.at ?? 0) / 1000 - startedMs))
  const [held, setHeld] = useState<number | undefined>(undefined)
  const seek = (toMs: number): void => {
    setHeld(undefined)
    begin((startedMs + toMs) * 1000)
    if (!player.playing) player.play()
  }
  return (
    <div class="controls" role="group" aria-label="Replay controls">
      {player.playing ? (
        <button type="button" class="primary" onClick={() => player.pause()}>
          Pause
        </button>
      ) : (
        <button type="button" class="primary" onClick={play}>
          {player.ended ? 'Play again' : 'Play'}
        </button>
      )}
      <button
        type="button"
        onClick={() => (player.shown.length === 0 && !player.ended ? play() : player.step())}
        disabled={player.ended}
      >
        Step
      </button>
      <label class="speed">
        Speed
        <select
          value={String(player.speed)}
          onChange={(event) => {
            const speed = SPEEDS.find(([value]) => String(value) === event.currentTarget.value)
            if (speed !== undefined) player.setSpeed(speed[0])
          }}
        >
          {SPEEDS.map(([value, name]) => (
            <option key={name} value={String(value)}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="position">
        <span class="unseen">Position</span>
        <input
          type="range"
          min={0}
          max={lengthMs}
          step={1}
          value={held ?? atMs}
          aria-valuetext={`${elapsed(held ?? atMs)} of ${elapsed(lengthMs)}`}
          onInput={(event) => setHeld(Number(event.currentTarget.value))}
          onChange={(event) => seek(Number(event.currentTarget.value))}
        />
        <output>
          {elapsed(held ?? atMs)} / {elapsed(lengthMs)}
        </output>
      </label>
    </div>
  )
}

function Screen({ player, startedMs }: { readonly player: Player; readonly startedMs: number }) {
  const screen = useRef<HTMLDivElement>(null)
  // Whoever has scrolled up to read is left alone.
  const following = useRef(true)
  const last = player.shown.at(-1)?.number
  useEffect(() => {
    const { current } = screen
    if (current !== null && following.current) current.scrollTop = current.scrollHeight
  }, [last])
  const scrolled = ({ currentTarget: at }: TargetedEvent<HTMLDivElement>): void => {
    following.current = at.scrollHeight - at.scrollTop - at.clientHeight < 40
  }
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard
    <div class="screen" ref={screen} onScroll={scrolled} tabIndex={0} role="log" aria-live="off" aria-label="Transcript">
      {player.dropped > 0 && (
        <p class="quiet">{player.dropped.toLocaleString('en')} earlier lines are not kept; jump back to see them.</p>
      )}
      {player.shown.length === 0 && (
        <p class="quiet">{player.ended ? 'Nothing was recorded.' : 'Play it, or choose a statement to play from.'}</p>
      )}
      {player.shown.map((line) => (
        <TranscriptLine key={line.number} line={line} startedMs={startedMs} />
      ))}
      {player.ended && player.shown.length > 0 && <p class="quiet">The end.</p>}
    </div>
  )
}

const FROM: Readonly<Record<ShownLine['from'], string>> = { client: 'client', upstream: 'answer', gateway: 'gateway' }

function TranscriptLine({ line, startedMs }: { readonly line: ShownLine; readonly startedMs: number }) {
  return (
    <div class={`line ${FROM[line.from]}`}>
      <span class="at">{elapsed(line.at / 1000 - startedMs)}</span>
      <span class="from">{FROM[line.from]}</span>
      <div>
        <Code text={line.text} />
        {line.left > 0 && <span class="cut">… {line.left.toLocaleString('en')} more characters</span>}
      </div>
    </div>
  )
}
