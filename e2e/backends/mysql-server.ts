// What a running MySQL or MariaDB server is to the tests, and what both kinds need to be started on loopback.

import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import { inject } from 'vitest'
import { makeCertificates } from './certificates.js'
import { freePort } from './postgres.js'
import { giveToServer, serverUser } from './programs.js'

export type MysqlKind = 'mariadb' | 'mysql'

export interface MysqlFacts {
  readonly kind: MysqlKind
  readonly version: string
  readonly host: string
  readonly port: number
  readonly authorityFile: string
  /** Every statement the server was sent. */
  readonly logFile: string
  /** Users by what they are for: `first` and `second` are checked by different plugins; `reader` is changed by tests. */
  readonly users: { readonly first: string; readonly second: string; readonly reader: string }
}

export interface MysqlServer {
  readonly facts: MysqlFacts
  stop(): Promise<void>
}

/** Where one server lives: `data` and `run` belong to the user that it runs as. */
export interface ServerPlace {
  readonly directory: string
  readonly data: string
  readonly run: string
}

export async function makePlace(kind: MysqlKind): Promise<ServerPlace> {
  const directory = mkdtempSync(join(tmpdir(), `sallyport-e2e-${kind}-`))
  chmodSync(directory, 0o755)
  const place = { directory, data: join(directory, 'data'), run: join(directory, 'run') }
  for (const path of [place.data, place.run]) {
    mkdirSync(path, { mode: 0o755 })
    giveToServer(path)
  }
  await makeCertificates(place.run, directory)
  for (const file of ['server.key', 'server.crt']) giveToServer(join(place.run, file))
  return place
}

export interface Launch {
  readonly kind: MysqlKind
  readonly place: ServerPlace
  /** The server's command, less what both kinds are told. */
  readonly command: readonly [string, ...string[]]
  readonly users: MysqlFacts['users']
  readonly makeUsers: readonly string[]
}

export async function launch({ kind, place: { directory, run }, command, users, makeUsers }: Launch): Promise<MysqlServer> {
  const port = await freePort()
  const logFile = join(run, 'statements.log')
  const settings = [
    `--socket=${run}/socket`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--pid-file=${run}/pid`,
    '--max-allowed-packet=64M',
    '--innodb-flush-log-at-trx-commit=0',
    `--ssl-cert=${run}/server.crt`,
    `--ssl-key=${run}/server.key`,
    '--general-log=1',
    `--general-log-file=${logFile}`,
  ]
  const [program, ...args] = command
  const child = spawn(program, [...args, ...settings], { ...serverUser, stdio: ['ignore', 'ignore', 'pipe'], cwd: directory })
  try {
    const version = await firstStatements(port, child, makeUsers)
    const authorityFile = join(directory, 'authority.crt')
    return {
      facts: { kind, version, host: '127.0.0.1', port, logFile, authorityFile, users },
      stop: () => stopServer(child, directory),
    }
  } catch (error) {
    await stopServer(child, directory)
    throw error
  }
}

/** Waits until the server takes statements, runs these, and tells its version. */
async function firstStatements(port: number, child: ChildProcess, statements: readonly string[]): Promise<string> {
  let complaint = ''
  child.stderr?.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-4000)))
  for (let tries = 0; ; tries++) {
    try {
      await onMysql({ host: '127.0.0.1', port }, 'select 1')
      break
    } catch (error) {
      if (tries > 600 || child.exitCode !== null) throw new Error(`the server did not start: ${complaint}`, { cause: error })
      await wait(50)
    }
  }
  for (const statement of statements) await onMysql({ host: '127.0.0.1', port }, statement)
  const [row] = (await onMysql({ host: '127.0.0.1', port }, 'select version() v')) as readonly { readonly v: string }[]
  return row?.v ?? ''
}

async function stopServer(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null) {
    const gone = new Promise((done) => child.once('exit', done))
    child.kill('SIGKILL') // nothing in it is worth a shutdown
    await gone
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}

/** Runs SQL (several statements at once, if need be) on the server itself, past the gateway. */
export async function onMysql(place: { readonly host: string; readonly port: number }, sql: string): Promise<unknown> {
  const connection = await createConnection({ host: place.host, port: place.port, user: 'root', multipleStatements: true })
  try {
    const [rows] = await connection.query(sql)
    return rows
  } finally {
    await connection.end()
  }
}

/** What the server was asked since the log had this size. */
export function loggedSince(facts: MysqlFacts, size: number): string {
  return readFileSync(facts.logFile).subarray(size).toString('utf8')
}

export const logSize = (facts: MysqlFacts): number => statSync(facts.logFile).size

/** The server of this kind that the whole run shares; undefined where this machine has none. */
export function mysqlServer(kind: MysqlKind): MysqlFacts | undefined {
  return inject(kind)
}

export const mysqlKinds: readonly MysqlKind[] = ['mariadb', 'mysql']
