// The gateway's embedded database, entered by its unix socket past the gateway: to alter what it keeps, to stop it, to see it whole.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Client } from 'pg'

interface Embedded {
  readonly pid: number
  readonly host: string
  readonly port: number
  readonly password: string
}

/** What its lock file says (PostgreSQL documentation, section 73.1): pid, data directory, start time, port, socket directory. */
function findEmbedded(home: string): Embedded | undefined {
  const database = join(home, 'database')
  const lock = readdirSync(database, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith('postmaster.pid'))
  if (lock === undefined) return undefined
  const [pid, data = '', , port, host = ''] = readFileSync(join(database, lock), 'utf8').split('\n')
  return { pid: Number(pid), port: Number(port), host, password: readFileSync(join(dirname(data), 'password'), 'utf8').trim() }
}

/** Runs SQL in the gateway's own database. */
export async function inRecords(home: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const found = findEmbedded(home)
  if (found === undefined) throw new Error('the embedded database is not running')
  const { host, port, password } = found
  const client = new Client({ host, port, user: 'sallyport', password, database: 'sallyport' })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows ?? []
  } finally {
    await client.end()
  }
}

/** Signals all processes of the embedded database, where it runs. */
export function signalEmbedded(home: string, signal: NodeJS.Signals): boolean {
  const found = findEmbedded(home)
  if (found === undefined) return false
  const children = readFileSync(`/proc/${found.pid}/task/${found.pid}/children`, 'utf8').split(' ').map(Number)
  for (const pid of [found.pid, ...children]) if (pid > 1) process.kill(pid, signal)
  return true
}

/** Ends an embedded database that outlived its killed gateway. */
export function endEmbedded(home: string): void {
  try {
    signalEmbedded(home, 'SIGQUIT')
  } catch {
    // no such directory, file or process: nothing to end
  }
}
