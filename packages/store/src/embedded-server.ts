// The embedded server as a process: its data made by initdb, its settings, its start.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chownSync, closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import { createClient } from './connection.js'
import type { StoreConnection } from './connection.js'
import { makeDataDirectory, makeSocketDirectory } from './embedded-place.js'
import type { Place } from './embedded-place.js'
import type { Engine } from './engine.js'
import { becomesReady, endServer } from './postmaster.js'
import type { Postmaster } from './postmaster.js'

/** Where it listens besides its socket: on loopback, with TLS and SCRAM. PEM texts. */
export interface Tcp {
  readonly port: number
  readonly certificate: string
  readonly key: string
}

export interface Listening {
  /** Also names its socket. */
  readonly port: number
  readonly tcp?: Tcp | undefined
}

export interface Running {
  readonly postmaster: Postmaster
  readonly child: ChildProcess | undefined
}

const USER = 'sallyport'
const DATABASE = 'sallyport'
/** Crash recovery replays at most `max_wal_size` and some; this is many times what that takes. */
export const READY_WITHIN_MS = 120_000
const LOG_SIZE_BYTES = 8 * 1024 * 1024

/** Modest: one gateway node is its only user. Statement texts stay out of the server's log, for they are evidence and not for that file. */
function settings(engine: Engine, listening: Listening, socketDirectory: string): readonly string[] {
  const values: Record<string, string> = {
    unix_socket_directories: socketDirectory,
    unix_socket_permissions: '0700',
    listen_addresses: listening.tcp === undefined ? '' : '127.0.0.1',
    port: String(listening.port),
    max_connections: '60',
    shared_buffers: '64MB',
    wal_level: 'minimal',
    max_wal_senders: '0',
    max_wal_size: '512MB',
    wal_compression: 'on',
    max_worker_processes: '2',
    max_parallel_workers_per_gather: '0',
    autovacuum_max_workers: '1',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_min_messages: 'warning',
    log_min_error_statement: 'panic',
    log_parameter_max_length_on_error: '0',
    password_encryption: 'scram-sha-256',
    // Asynchronous reads (of 18 and later) would keep workers for one user's few queries.
    ...(Number(engine.majorVersion) >= 18 ? { io_method: 'sync' } : {}),
    ...(listening.tcp === undefined ? {} : { ssl: 'on' }),
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

function writeOwned(place: Place, path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 })
  if (place.user !== undefined) chownSync(path, place.user.uid, place.user.gid)
}

function run(place: Place, command: string, args: readonly string[], output: number): ChildProcess {
  return spawn(command, args, {
    cwd: place.files,
    // Of its own process group: Ctrl-C in the gateway's terminal must not stop the server before the gateway has shipped its spool.
    detached: true,
    stdio: ['ignore', output, output],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
    ...place.user,
  })
}

function openLog(place: Place): number {
  const path = join(place.directory, 'postgres.log')
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_SIZE_BYTES) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

function logTail(place: Place): string {
  return readFileSync(join(place.directory, 'postgres.log'), 'utf8').trimEnd().split('\n').slice(-3).join(' | ')
}

/** Into a draft that is renamed when whole, so that a start cut short is simply done again. */
export async function createData(place: Place, engine: Engine, secret: string): Promise<void> {
  const draft = `${place.data}.new`
  const secretFile = join(place.files, 'password.new')
  rmSync(draft, { recursive: true, force: true })
  makeDataDirectory(place, draft)
  writeOwned(place, secretFile, `${secret}\n`)
  const output = openLog(place)
  const args = [
    '-D',
    draft,
    '-U',
    USER,
    `--pwfile=${secretFile}`,
    '-A',
    'scram-sha-256',
    '-E',
    'UTF8',
    '--locale=C',
    '--data-checksums',
  ]
  try {
    const child = run(place, engine.initdb, args, output)
    const code = await new Promise<number | null>((done, fail) => {
      child.once('error', fail)
      child.once('exit', done)
    })
    if (code !== 0) throw new Error(`initdb ended with ${code}: ${logTail(place)}`)
  } catch (cause) {
    throw new Misconfigured(
      'embedded-initdb',
      `the embedded database could not be made in ${place.data}: ${(cause as Error).message}`,
      { cause },
    )
  } finally {
    closeSync(output)
    rmSync(secretFile, { force: true })
  }
  renameSync(draft, place.data)
}

function writeServerFiles(place: Place, listening: Listening): void {
  const hosts =
    listening.tcp === undefined ? '' : 'hostssl all all 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n'
  writeOwned(place, join(place.data, 'pg_hba.conf'), `local all all scram-sha-256\n${hosts}`)
  if (listening.tcp === undefined) return
  writeOwned(place, join(place.data, 'server.crt'), listening.tcp.certificate)
  writeOwned(place, join(place.data, 'server.key'), listening.tcp.key)
}

export async function launch(place: Place, engine: Engine, listening: Listening): Promise<Running> {
  const socketDirectory = makeSocketDirectory(place)
  writeServerFiles(place, listening)
  const output = openLog(place)
  const child = run(place, engine.postgres, ['-D', place.data, ...settings(engine, listening, socketDirectory)], output)
  closeSync(output)
  let failure: Error | undefined
  child.once('error', (error) => (failure = error))
  // The server is not what keeps the gateway's process alive.
  child.unref()
  const ended = (): boolean => failure !== undefined || child.exitCode !== null || child.signalCode !== null
  const postmaster = await becomesReady(place.data, child.pid ?? -1, ended, READY_WITHIN_MS)
  if (postmaster !== undefined) return { postmaster, child }
  if (child.pid !== undefined && !ended()) await endServer(child.pid, place.data)
  throw new Misconfigured('embedded-start', `the embedded database did not start: ${failure?.message ?? logTail(place)}`, {
    cause: failure,
  })
}

export type SocketConnection = Extract<StoreConnection, { kind: 'socket' }>

export function socketConnection({ postmaster }: Running, secret: string): SocketConnection {
  return {
    kind: 'socket',
    host: postmaster.socketDirectory,
    port: postmaster.port,
    user: USER,
    password: secret,
    database: DATABASE,
  }
}

/** Creates the database where it is not there yet, which is also the proof that the server answers. */
export async function makeDatabase(connection: SocketConnection): Promise<void> {
  const client = createClient({ ...connection, database: 'postgres' }, 'starter')
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [connection.database])
    if (rowCount === 0) await client.query(`create database ${connection.database}`)
  } finally {
    await client.end()
  }
}
