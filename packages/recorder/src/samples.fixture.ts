// A session and its frames as tests need them, and a shipper without a thread whose death can be arranged.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Durability, Frame, RecordedSession } from '@sallyport/core'
import type { RecorderOptions } from './recorder-options.js'
import type { ShipperThread, StartShipper } from './shipper-link.js'
import type { FrameSink } from './shipped.js'
import { runShipper } from './shipper.js'
import type { ShipperOrder, ShipperReport } from './shipper.js'

export const at = 1_795_470_693_007_537

export function recordedSession(id: string, durability: Durability = 'process'): RecordedSession {
  return {
    id,
    identity: { id: 'i1', name: 'ann', kind: 'person', groups: ['dba'] },
    target: {
      name: 'orders',
      protocol: 'postgres',
      address: 'db:5432',
      databases: [],
      tls: 'off',
      labels: {},
      durability,
      default: 'allow',
      trust: { functions: [] },
    },
    client: { address: '127.0.0.1:4000', loopback: true, tls: false },
    startedAt: at,
  }
}

const effects = [{ access: 'read', verb: 'select', object: 'public.a' }] as const
const ruling = { kind: 'allow', rule: null } as const

/** Statement, ruling, response and outcome number `id`. */
export function exchange(id: number, response: string | Uint8Array = `row ${id}`): Frame[] {
  const bytes = typeof response === 'string' ? Buffer.from(response) : response
  return [
    { kind: 'statement', at: at + id, statement: { id, kind: 'query', text: `select ${id}`, parameters: [], effects, held: true } },
    { kind: 'ruling', at: at + id, statement: id, ruling, reviewers: [] },
    { kind: 'bytes', at: at + id, channel: 0, from: 'upstream', bytes },
    { kind: 'outcome', at: at + id, statement: id, rows: 1, bytes: bytes.length, durationMs: 0.5 },
  ]
}

export function temporaryHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-test-'))
  mkdirSync(join(home, 'spool'))
  process.once('exit', () => rmSync(home, { recursive: true, force: true }))
  return home
}

export interface Arranged {
  readonly start: StartShipper
  /** Everything logged or reported. */
  readonly reports: ShipperReport[]
}

/** Runs the shipper in this thread. A sink that throws `Death` ends it as if its thread had been killed at that point. */
export class Death extends Error {}

export function shipperInProcess(createSink: () => FrameSink): Arranged {
  const reports: ShipperReport[] = []
  const start: StartShipper = (config): ShipperThread => {
    let report: (report: ShipperReport) => void = () => undefined
    let end: (reason: string) => void = () => undefined
    let order: (order: ShipperOrder) => void = () => undefined
    let dead = false
    const die = (reason: string): void => {
      if (dead) return
      dead = true
      queueMicrotask(() => end(reason))
    }
    const sink = createSink()
    const mortal: FrameSink = {
      open: (node) => sink.open(node),
      close: () => sink.close(),
      write: (batch) =>
        sink.write(batch).catch(async (error: unknown) => {
          if (!(error instanceof Death)) throw error
          await sink.close()
          die('killed')
          return new Promise<never>(() => undefined)
        }),
    }
    const port = {
      report: (said: ShipperReport) => {
        if (dead) return
        reports.push(said)
        queueMicrotask(() => report(said))
      },
      onOrder: (listener: (order: ShipperOrder) => void) => void (order = listener),
    }
    runShipper(config, mortal, port).then(
      () => die('stopped'),
      (error: unknown) => die(String(error)),
    )
    return {
      order: (said) => queueMicrotask(() => order(said)),
      onReport: (listener) => void (report = listener),
      onEnd: (listener) => void (end = listener),
      terminate: () => sink.close(),
    }
  }
  return { start, reports }
}

export const silent: RecorderOptions['log'] = () => undefined
