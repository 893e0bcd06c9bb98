// What the server itself says it ran: PostgreSQL's own statement log, read from its JSON log file.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { onServer, type PostgresFacts } from './postgres.js'

export interface LoggedStatement {
  readonly pid: number
  readonly user: string
  readonly database: string
  readonly application: string
  readonly text: string
  readonly parameters: string
}

interface LogLine {
  readonly pid: number
  readonly user?: string
  readonly dbname?: string
  readonly application_name?: string
  readonly message: string
  readonly detail?: string
}

const statementMessage = /^(?:statement|execute [^:]*): ([\s\S]*)$/

/** Every statement run in a database so far, in the order the server wrote them. */
function loggedStatements(facts: PostgresFacts, database: string): readonly LoggedStatement[] {
  const file = join(facts.directory, 'data', 'log', 'server.json')
  if (!existsSync(file)) return []
  const found: LoggedStatement[] = []
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (!line.startsWith('{') || !line.endsWith('}')) continue
    const entry: LogLine = JSON.parse(line)
    const text = statementMessage.exec(entry.message)?.[1]
    if (text === undefined || entry.dbname !== database) continue
    const application = entry.application_name ?? ''
    found.push({ pid: entry.pid, user: entry.user ?? '', database, application, text, parameters: entry.detail ?? '' })
  }
  return found
}

/** The same, after everything the server has run by now is certainly in the file. */
export async function settledStatements(facts: PostgresFacts, database: string): Promise<readonly LoggedStatement[]> {
  const marker = `select 'log marker ${process.hrtime.bigint()}'`
  await onServer(facts, database, marker)
  for (let tries = 0; tries < 200; tries++) {
    const statements = loggedStatements(facts, database)
    const end = statements.findIndex((statement) => statement.text === marker)
    if (end >= 0) return statements.slice(0, end).filter((statement) => !statement.text.startsWith("select 'log marker "))
    await wait(25)
  }
  throw new Error('the server did not write its statement log')
}
