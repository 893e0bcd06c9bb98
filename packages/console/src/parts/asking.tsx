// Asking the gateway from a page: what came, what went wrong, and asking again. An answer to an older question never shows.

import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useConsole } from '../console.js'
import { toldOf } from '../gateway.js'
import { Shown } from './shown.js'

export interface Asked<T> {
  readonly answer: T | undefined
  readonly trouble: string | undefined
  readonly asking: boolean
  readonly again: () => void
}

/** `path` undefined: there is nothing to ask. The last answer stays until the next, unless the question is another one. */
export function useAnswer<T>(path: string | undefined): Asked<T> {
  const { gateway } = useConsole()
  const [turn, setTurn] = useState(0)
  const [state, setState] = useState<{ path: string | undefined; answer?: T; trouble?: string; asking: boolean }>({
    path,
    asking: true,
  })
  useEffect(() => {
    if (path === undefined) return setState({ path, asking: false })
    const ending = new AbortController()
    setState((before) => (before.path === path ? { ...before, asking: true } : { path, asking: true }))
    gateway.call<T>('GET', path, { signal: ending.signal }).then(
      (answer) => setState({ path, answer, asking: false }),
      (error: unknown) => {
        const trouble = toldOf(error)
        if (trouble !== undefined) setState((before) => ({ ...before, path, trouble, asking: false }))
      },
    )
    return () => ending.abort()
  }, [gateway, path, turn])
  const current = state.path === path ? state : { asking: true }
  return {
    answer: 'answer' in current ? current.answer : undefined,
    trouble: 'trouble' in current ? current.trouble : undefined,
    asking: current.asking,
    again: () => setTurn((before) => before + 1),
  }
}

/** What stands where an answer is to come. */
export function Answer<T>({ asked, children }: { readonly asked: Asked<T>; readonly children: (answer: T) => ComponentChildren }) {
  return (
    <>
      {asked.trouble !== undefined && (
        <Trouble text={asked.trouble}>
          <button type="button" class="plain" onClick={asked.again}>
            Try again
          </button>
        </Trouble>
      )}
      {asked.answer === undefined ? asked.asking && <p class="quiet loading">Loading …</p> : children(asked.answer)}
    </>
  )
}

export function Trouble({ text, children }: { readonly text: string; readonly children?: ComponentChildren }) {
  return (
    <div class="trouble" role="alert">
      <p>
        <Shown text={text} />
      </p>
      {children}
    </div>
  )
}

/** The time, again and again, for what is counted down. */
export function useNow(everyMs: number): number {
  const { gateway } = useConsole()
  const [now, setNow] = useState(() => gateway.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(gateway.now()), everyMs)
    return () => clearInterval(timer)
  }, [gateway, everyMs])
  return now
}
