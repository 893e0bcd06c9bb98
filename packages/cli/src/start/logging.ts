// The gateway's log: JSON lines. Secrets never get here, so nothing is searched for them.

import { destination, pino } from 'pino'

export type Log = (level: 'info' | 'warn' | 'error', message: string, facts?: Readonly<Record<string, unknown>>) => void

export interface Logging {
  readonly log: Log
  /** Writes what waits; call it before the process ends. */
  readonly flush: () => void
}

/** A reader of stderr that has stopped reading must not stop the gateway: beyond this, lines are dropped. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** To stderr, or where a file is named, to its end. */
export function openLog(level: 'debug' | 'info' | 'warn' | 'error', file?: string): Logging {
  const stream = destination({
    ...(file === undefined ? { fd: 2 } : { dest: file, append: true, mode: 0o600 }),
    sync: false,
    minLength: 0,
    maxLength: MAX_WAITING_BYTES,
  })
  // stderr closed: there is nowhere left to say so.
  stream.on('error', () => {})
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    stream,
  )
  return {
    log: (how, message, facts) => logger[how](readable(facts ?? {}), message),
    flush: () => {
      try {
        stream.flushSync()
      } catch {
        // Not opened yet, or closed: nothing waits.
      }
    },
  }
}

/** An Error has no enumerable parts; its message and stack are what is wanted of it. */
function readable(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => [
      key,
      value instanceof Error ? { message: value.message, stack: value.stack } : value,
    ]),
  )
}
