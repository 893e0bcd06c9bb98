// Who was where and what they did; cutting a live session; finding statements.

import type { FoundStatement, RecordedStatement, SessionSummary } from '@sallyport/core'
import { openClient } from '../client/gateway-client.js'
import type { Narrowed } from '../record-commands.js'
import { oneLine, printable } from '../output/printable.js'
import { printTable, shortTime } from '../output/table.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

type ShownSession = SessionSummary & { readonly statementList: readonly RecordedStatement[]; readonly more: boolean }

export async function listCommand(options: Narrowed, terminal: Terminal): Promise<void> {
  const sessions = await openClient(terminal.env).call<readonly SessionSummary[]>('GET', `/sessions?${query(options).toString()}`)
  if (options.json === true) return printJson(terminal, sessions)
  await printTable(
    terminal,
    ['id', 'who', 'target', 'started', 'ended', 'statements', 'denied', 'outcome'],
    sessions.map((session) => [
      session.id,
      who(session),
      session.target,
      shortTime(session.startedAt),
      session.endedAt === null ? 'live' : shortTime(session.endedAt),
      session.statements,
      session.denied,
      session.outcome,
    ]),
  )
}

export async function showCommand(id: string, options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const session = await wholeSession(id, terminal)
  if (options.json === true) return printJson(terminal, session)
  const until = session.endedAt === null ? 'still open' : `until ${shortTime(session.endedAt)}`
  terminal.out(
    printable(`${who(session)} on ${session.target} (${session.protocol}), ${shortTime(session.startedAt)} ${until} UTC`),
  )
  await printTable(
    terminal,
    ['#', 'at', 'ruling', 'rows', 'ms', 'statement'],
    session.statementList.map((each) => [
      each.id,
      shortTime(each.at),
      ruling(each),
      each.rows,
      each.durationMs,
      oneLine(each.text, 80),
    ]),
  )
}

/** A long session comes in pages. */
async function wholeSession(id: string, terminal: Terminal): Promise<Omit<ShownSession, 'more'>> {
  const client = openClient(terminal.env)
  const statementList: RecordedStatement[] = []
  for (;;) {
    const after = statementList.at(-1)?.id ?? -1
    const { more, ...session } = await client.call<ShownSession>('GET', `/sessions/${encodeURIComponent(id)}?after=${after}`)
    statementList.push(...session.statementList)
    if (!more) return { ...session, statementList }
  }
}

export async function endCommand(
  id: string,
  options: { readonly reason: string; readonly json?: true },
  terminal: Terminal,
): Promise<void> {
  const answer = await openClient(terminal.env).call('POST', `/sessions/${encodeURIComponent(id)}/end`, { reason: options.reason })
  if (options.json === true) return printJson(terminal, answer)
  terminal.err(`session ${id} is cut`)
}

export async function searchCommand(text: string, options: Narrowed, terminal: Terminal): Promise<void> {
  const parameters = query(options)
  parameters.set('text', text)
  const found = await openClient(terminal.env).call<readonly FoundStatement[]>('GET', `/statements?${parameters.toString()}`)
  if (options.json === true) return printJson(terminal, found)
  await printTable(
    terminal,
    ['session', '#', 'at', 'who', 'target', 'ruling', 'statement'],
    found.map((each) => [each.session, each.id, shortTime(each.at), who(each), each.target, ruling(each), oneLine(each.text, 80)]),
  )
}

function query(options: Narrowed): URLSearchParams {
  const { identity, target, since, live, limit } = options
  return new URLSearchParams({
    limit: String(limit),
    ...(identity === undefined ? {} : { identity }),
    ...(target === undefined ? {} : { target }),
    ...(since === undefined ? {} : { since: since.toISOString() }),
    ...(live === undefined ? {} : { live: 'true' }),
  })
}

function who(of: { readonly identity: string; readonly onBehalfOf: string | null }): string {
  return of.onBehalfOf === null ? of.identity : `${of.identity} for ${of.onBehalfOf}`
}

function ruling(statement: RecordedStatement): string {
  if (statement.ruling === null) return ''
  const { kind, rule, reviewers } = statement.ruling
  return `${kind}${rule === null ? '' : ` (${rule})`}${reviewers.length === 0 ? '' : `, reviewed by ${reviewers.join(', ')}`}`
}
