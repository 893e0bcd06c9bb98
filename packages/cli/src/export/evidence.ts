// Whole sessions as lines that prove themselves: a first line that says what the file is, the sessions, and a last line that counts them.

import type { SessionSummary } from '@sallyport/core'
import { EVIDENCE_TITLE } from '@sallyport/recorder'
import type { EvidenceLine } from '@sallyport/recorder'
import type { GatewayClient } from '../client/gateway-client.js'
import type { Terminal } from '../output/terminal.js'
import { VERSION } from '../version.js'

interface Narrowed {
  readonly session?: readonly string[]
  readonly since?: Date
  readonly identity?: string
  readonly target?: string
}

const SESSIONS_A_PAGE = 200

/** Those that are named; else every session that has ended, newest first. */
export async function* evidenceSessions(client: GatewayClient, options: Narrowed, terminal: Terminal): AsyncGenerator<string> {
  if (options.session !== undefined) return yield* new Set(options.session)
  const { since, identity, target } = options
  let before: string | undefined
  for (;;) {
    const query = new URLSearchParams({
      limit: String(SESSIONS_A_PAGE),
      ...(since === undefined ? {} : { since: since.toISOString() }),
      ...(identity === undefined ? {} : { identity }),
      ...(target === undefined ? {} : { target }),
      ...(before === undefined ? {} : { before }),
    })
    const page = await client.call<readonly SessionSummary[]>('GET', `/sessions?${query.toString()}`)
    for (const { id, endedAt } of page) {
      if (endedAt === null) terminal.err(`session ${id} is open and left out`)
      else yield id
    }
    before = page.at(-1)?.id
    if (page.length < SESSIONS_A_PAGE) return
  }
}

interface FileEdge {
  readonly evidence?: string
  readonly end?: { readonly sessions: number }
}

/** One session as a file of its own. */
export async function* fileOf(lines: AsyncIterable<EvidenceLine>): AsyncGenerator<EvidenceLine | FileEdge> {
  yield heading()
  yield* lines
  yield { end: { sessions: 1 } }
}

const heading = (): object => ({ evidence: EVIDENCE_TITLE, version: VERSION, at: new Date().toISOString() })

/** Answers how many sessions were printed. */
export async function printEvidence(sessions: AsyncIterable<string>, client: GatewayClient, terminal: Terminal): Promise<number> {
  const print = async (line: object): Promise<void> => {
    terminal.out(JSON.stringify(line))
    await terminal.drained()
  }
  const keys = new Set<string>()
  let count = 0
  await print(heading())
  for await (const id of sessions) {
    for await (const line of client.lines<EvidenceLine | FileEdge>(`/sessions/${encodeURIComponent(id)}/evidence`)) {
      // Many sessions are one file here.
      if ('evidence' in line || 'end' in line || ('key' in line && keys.has(line.key.id))) continue
      if ('key' in line) keys.add(line.key.id)
      await print(line)
    }
    count += 1
  }
  await print({ end: { sessions: count } })
  return count
}
