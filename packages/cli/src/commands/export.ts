// The record, out of the gateway as lines on stdout: as fast as they are read, from any place, and on from where an earlier export stopped.

import type { RecordedEvent } from '@sallyport/core'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { Misconfigured } from '@sallyport/core'
import { openClient } from '../client/gateway-client.js'
import { evidenceSessions, printEvidence } from '../export/evidence.js'
import { ocsfEvent } from '../export/ocsf.js'
import { plainLine } from '../export/plain.js'
import type { Terminal } from '../output/terminal.js'

export interface ExportOptions {
  readonly format: 'jsonl' | 'ocsf' | 'evidence'
  readonly session?: readonly string[]
  readonly since?: Date
  readonly until?: Date
  readonly identity?: string
  readonly target?: string
  readonly after?: string
  readonly cursor?: string
}

/** An export that is to be gone on with leaves the newest to the next: statements under way are given with their outcome. */
const SETTLED_AFTER_MS = 60_000
/** What is given again where an export is killed between two of these. */
const EVENTS_A_CURSOR = 1000

const FORMATS = { jsonl: plainLine, ocsf: ocsfEvent } as const

export async function exportRecordCommand(options: ExportOptions, terminal: Terminal): Promise<void> {
  const { format } = options
  refuseMixed(options)
  if (format === 'evidence') return exportEvidence(options, terminal)
  const after = options.after ?? cursorIn(options.cursor)
  const client = openClient(terminal.env)
  const line = FORMATS[format]
  let given = 0
  let cursor = after
  for await (const event of client.lines<RecordedEvent>(`/events?${query(options, after)}`)) {
    terminal.out(JSON.stringify(line(event)))
    await terminal.drained()
    cursor = event.cursor
    given += 1
    if (given % EVENTS_A_CURSOR === 0) keep(options.cursor, cursor)
  }
  keep(options.cursor, cursor)
  const next = cursor === undefined || options.cursor !== undefined ? '' : `; go on with --after ${cursor}`
  terminal.err(`${given} events${next}`)
}

/** Evidence is of sessions, lines are of moments: what narrows the one has no meaning for the other. */
function refuseMixed({ format, session, until, after, cursor }: ExportOptions): void {
  if (format !== 'evidence' && session !== undefined)
    throw new Misconfigured('misused', '--session goes with --format evidence; `sallyport sessions show ID` shows one session')
  if (format === 'evidence' && (until !== undefined || after !== undefined || cursor !== undefined))
    throw new Misconfigured('misused', 'evidence is of whole sessions: narrow it with --session, --since, --identity and --target')
}

async function exportEvidence(options: ExportOptions, terminal: Terminal): Promise<void> {
  const client = openClient(terminal.env)
  const given = await printEvidence(evidenceSessions(client, options, terminal), client, terminal)
  terminal.err(
    `${given} session${given === 1 ? '' : 's'}; prove them anywhere with \`sallyport verify --file FILE --key node.pub\``,
  )
}

function query({ since, until, identity, target, cursor }: ExportOptions, after: string | undefined): string {
  const goesOn = after !== undefined || cursor !== undefined
  const end = until ?? (goesOn ? new Date(Date.now() - SETTLED_AFTER_MS) : undefined)
  return new URLSearchParams({
    ...(since === undefined ? {} : { since: since.toISOString() }),
    ...(end === undefined ? {} : { until: end.toISOString() }),
    ...(identity === undefined ? {} : { identity }),
    ...(target === undefined ? {} : { target }),
    ...(after === undefined ? {} : { after }),
  }).toString()
}

function cursorIn(file: string | undefined): string | undefined {
  if (file === undefined || !existsSync(file)) return undefined
  const text = readFileSync(file, 'utf8').trim()
  if (text === '' || text.length > 256 || text.includes('\n'))
    throw new Misconfigured(
      'bad-cursor',
      `${file} holds no cursor; name a file that an earlier export wrote, or one that is not there yet`,
    )
  return text
}

function keep(file: string | undefined, cursor: string | undefined): void {
  if (file === undefined || cursor === undefined) return
  writeFileSync(`${file}.new`, `${cursor}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
