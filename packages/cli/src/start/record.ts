// The record as operators read it: sessions, statements, replay, verify.

import type { ApiParts } from '@sallyport/api'
import { Denied, Misconfigured } from '@sallyport/core'
import type { Line, Protocol } from '@sallyport/core'
import { toHar } from '@sallyport/http'
import { evidenceOf, readPins, replay, verifyAll, verifyOne } from '@sallyport/recorder'
import type { Finding, LocalRecorder } from '@sallyport/recorder'
import type { Store } from '@sallyport/store'
import { fileOf } from '../export/evidence.js'
import type { Log } from './logging.js'

export interface RecordParts {
  readonly store: Store
  readonly recorder: LocalRecorder
  readonly protocols: readonly Protocol[]
  /** Cuts a session here and tells the other nodes. */
  readonly end: (id: string, reason: string) => Promise<void>
  readonly log: Log
}

/** Who asks now wants to see what was done a moment ago; where the database is slow, they see what is there. */
const SHIPPED_WITHIN_MS = 3_000

export function recordFor(parts: RecordParts): ApiParts['sessions'] {
  const { store, end } = parts
  const shipped = (): Promise<void> => shippedSoon(parts)
  return {
    list: async (filter) => {
      await shipped()
      return store.sessions.list(filter)
    },
    summary: async (id) => {
      await shipped()
      return store.sessions.summary(id)
    },
    statements: (id, page) => store.sessions.statements(id, page),
    search: async (text, filter) => {
      await shipped()
      return store.sessions.search(text, filter)
    },
    events: async function* (filter) {
      await shipped()
      yield* store.events(filter)
    },
    replay: (id, signal) => replayed(parts, id, signal),
    cast: (id, signal) => asCast(parts, id, signal),
    evidence: (id) => fileOf(evidenceOf(id, store.frames)),
    har: async (id) => {
      const { facts } = await sessionOf(parts, id)
      if (facts.protocol !== 'http')
        throw new Denied('no-har', `session ${id} spoke ${facts.protocol}; only sessions of http have a HAR`)
      return toHar(replay(id, store.frames), `http://${facts.target}`)
    },
    end,
  }
}

async function shippedSoon({ recorder, log }: Pick<RecordParts, 'recorder' | 'log'>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, SHIPPED_WITHIN_MS)))
  const done = recorder
    .shipped()
    .catch((error: unknown) => log('warn', 'the newest of the record is not in the database yet', { error }))
  await Promise.race([done, late])
  clearTimeout(timer)
}

async function* replayed(parts: RecordParts, id: string, signal: AbortSignal): AsyncGenerator<Line> {
  const protocol = await protocolOf(parts, id)
  yield* until(signal, protocol.transcribe(replay(id, parts.store.frames)))
}

async function* asCast(parts: RecordParts, id: string, signal: AbortSignal): AsyncGenerator<object> {
  const protocol = await protocolOf(parts, id)
  const lines = protocol.cast?.(replay(id, parts.store.frames))
  if (lines === undefined) throw new Denied('no-terminal', `session ${id} had no terminal; replay it as text or json`)
  yield* until(signal, lines)
}

async function sessionOf(
  parts: Pick<RecordParts, 'store' | 'recorder' | 'log'>,
  id: string,
): Promise<NonNullable<Awaited<ReturnType<Store['frames']['session']>>>> {
  await shippedSoon(parts)
  const found = await parts.store.frames.session(id)
  if (found === undefined) throw new Denied('not-found', `there is no session ${id}`)
  return found
}

async function protocolOf({ store, recorder, protocols, log }: RecordParts, id: string): Promise<Protocol> {
  const found = await sessionOf({ store, recorder, log }, id)
  const protocol = protocols.find(({ name }) => name === found.facts.protocol)
  if (protocol === undefined)
    throw new Misconfigured('unknown-protocol', `session ${id} spoke ${found.facts.protocol}, which this version does not`)
  return protocol
}

async function* until<T>(signal: AbortSignal, lines: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const line of lines) {
    if (signal.aborted) return
    yield line
  }
}

/** Proves the record whole, with what this node's home knows besides the database. */
export function verifyFor(parts: Pick<RecordParts, 'store' | 'recorder' | 'log'> & { readonly home: string }): ApiParts['verify'] {
  return async (session) => {
    await shippedSoon(parts)
    const pins = readPins(parts.home)
    if (session === undefined) {
      const { state, sessions, findings, unpinned } = await verifyAll(parts.store.frames, pins)
      return { whole: state === 'whole', sessions, faults: findings.map(faultOf), unpinned }
    }
    const verdict = await verifyOne(session, parts.store.frames, pins)
    return { whole: verdict.state !== 'altered', sessions: 1, faults: verdict.findings.map(faultOf), unpinned: [] }
  }
}

function faultOf({ session, kind, place, message }: Finding): {
  readonly session: string | null
  readonly kind: string
  readonly what: string
} {
  return { session: session ?? null, kind, what: `${place}: ${message}` }
}
