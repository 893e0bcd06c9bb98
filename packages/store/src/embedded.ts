// The embedded database: a real PostgreSQL of our own, made at the first start, adopted where an earlier gateway was killed and left it
// running, and stopped with us. Reached by a unix socket in a directory that only its owner may enter, with a password besides.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Misconfigured } from '@sallyport/core'
import { createClient } from './connection.js'
import type { StoreConnection, StoreLog } from './connection.js'
import { lockDirectory } from './directory-lock.js'
import { findBinaries } from './embedded-binaries.js'
import type { Binaries } from './embedded-binaries.js'
import { EMBEDDED_PORT, findPlace, makeDataDirectory, makeSocketDirectory } from './embedded-place.js'
import type { Place } from './embedded-place.js'
import { becomesReady, endServer, isServerOf, readPostmaster } from './postmaster.js'
import type { Postmaster } from './postmaster.js'

export interface EmbeddedOptions {
  readonly directory: string
  readonly log: StoreLog
  /** Also listens on loopback, with TLS and SCRAM: for samples and tests that need a server to reach over TCP. PEM texts. */
  readonly tcp?: { readonly port: number; readonly certificate: string; readonly key: string }
}

export interface EmbeddedPostgres {
  readonly connection: Extract<StoreConnection, { kind: 'socket' }>
  /** The server was already running: an earlier gateway was killed. */
  readonly adopted: boolean
  /** The server's process id now. */
  pid(): number
  stop(): Promise<void>
}

const USER = 'sallyport'
/** Crash recovery replays at most `max_wal_size` and some; this is many times what that takes. */
const READY_WITHIN_MS = 120_000
/** A server that dies again and again must not be started for ever. */
const RESTARTS = 5
const RESTARTS_WITHIN_MS = 60_000
const RESTART_AFTER_MS = 300
const LOOK_AFTER_ADOPTED_MS = 1_000
const LOG_SIZE_BYTES = 8 * 1024 * 1024

/** Modest: one gateway node is its only user. Statement texts stay out of the server's log, for they are evidence and not for that file. */
function settings(options: EmbeddedOptions, socketDirectory: string): readonly string[] {
  const values: Record<string, string> = {
    unix_socket_directories: socketDirectory,
    unix_socket_permissions: '0700',
    listen_addresses: options.tcp === undefined ? '' : '127.0.0.1',
    port: String(options.tcp?.port ?? EMBEDDED_PORT),
    max_connections: '60',
    shared_buffers: '64MB',
    wal_level: 'minimal',
    max_wal_senders: '0',
    max_wal_size: '512MB',
    wal_compression: 'on',
    io_method: 'sync',
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
    ...(options.tcp === undefined ? {} : { ssl: 'on' }),
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

function writeOwned(place: Place, path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 })
  if (place.user !== undefined) chownSync(path, place.user.uid, place.user.gid)
}

function run(place: Place, binaries: Binaries, command: string, args: readonly string[], output: number): ChildProcess {
  return spawn(command, args, {
    cwd: place.files,
    // Of its own process group: Ctrl-C in the gateway's terminal must not stop the server before the gateway has shipped its spool.
    detached: true,
    stdio: ['ignore', output, output],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', ...binaries.environment },
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

function password(place: Place): string {
  const path = join(place.directory, 'password')
  if (existsSync(path)) return readFileSync(path, 'utf8').trim()
  if (existsSync(place.data)) {
    throw new Misconfigured(
      'embedded-password',
      `${path} is gone, so the database in ${place.data} cannot be opened; restore it from your backup`,
    )
  }
  const made = randomBytes(24).toString('hex')
  writeFileSync(path, `${made}\n`, { mode: 0o600 })
  return made
}

/** Into a draft that is renamed when whole, so that a start cut short is simply done again. */
async function createData(place: Place, binaries: Binaries, secret: string): Promise<void> {
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
    const child = run(place, binaries, binaries.initdb, args, output)
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

function refuseOtherVersion(place: Place, binaries: Binaries): void {
  const version = readFileSync(join(place.data, 'PG_VERSION'), 'utf8').trim()
  if (version === binaries.majorVersion) return
  throw new Misconfigured(
    'embedded-version',
    `${place.data} was made by PostgreSQL ${version}, and this Sallyport brings ${binaries.majorVersion}; ` +
      `move the data with pg_dump of version ${binaries.majorVersion}, or go back to the Sallyport that made it`,
  )
}

function writeServerFiles(place: Place, options: EmbeddedOptions): void {
  const hosts =
    options.tcp === undefined ? '' : 'hostssl all all 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n'
  writeOwned(place, join(place.data, 'pg_hba.conf'), `local all all scram-sha-256\n${hosts}`)
  if (options.tcp === undefined) return
  writeOwned(place, join(place.data, 'server.crt'), options.tcp.certificate)
  writeOwned(place, join(place.data, 'server.key'), options.tcp.key)
}

interface Running {
  readonly postmaster: Postmaster
  readonly child: ChildProcess | undefined
}

async function launch(place: Place, binaries: Binaries, options: EmbeddedOptions): Promise<Running> {
  const socketDirectory = makeSocketDirectory(place)
  writeServerFiles(place, options)
  const output = openLog(place)
  const child = run(place, binaries, binaries.postgres, ['-D', place.data, ...settings(options, socketDirectory)], output)
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

/** The server an earlier gateway left running, where it listens as it should; otherwise it is stopped or its stale mark removed. */
async function adopt(place: Place, options: EmbeddedOptions): Promise<Running | undefined> {
  const found = readPostmaster(place.data)
  if (found === undefined) return undefined
  if (!isServerOf(found.pid, place.data)) {
    rmSync(join(place.data, 'postmaster.pid'), { force: true })
    return undefined
  }
  const listens = options.tcp === undefined ? '' : '127.0.0.1'
  const port = options.tcp?.port ?? EMBEDDED_PORT
  const ready = await becomesReady(place.data, found.pid, () => !isServerOf(found.pid, place.data), READY_WITHIN_MS)
  if (ready !== undefined && ready.listens === listens && ready.port === port) return { postmaster: ready, child: undefined }
  if (!(await endServer(found.pid, place.data))) {
    throw new Misconfigured('embedded-stuck', `process ${found.pid} serves ${place.data} and cannot be stopped; end it by hand`)
  }
  return undefined
}

/** Creates the database where it is not there yet, which is also the proof that the server answers. */
async function makeDatabase(connection: EmbeddedPostgres['connection']): Promise<void> {
  const client = createClient({ ...connection, database: 'postgres' }, 'starter')
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [connection.database])
    if (rowCount === 0) await client.query(`create database ${connection.database}`)
  } finally {
    await client.end()
  }
}

/** Starts the server again when it ends by itself, a bounded number of times. Answers how to stop both. */
function supervise(
  first: Running,
  data: string,
  start: () => Promise<Running>,
  log: StoreLog,
): Pick<EmbeddedPostgres, 'pid' | 'stop'> {
  let running = first
  let stopping = false
  let restarts: number[] = []
  let restarting: Promise<void> = Promise.resolve()
  const restart = async (): Promise<void> => {
    for (;;) {
      restarts = [...restarts.filter((at) => at > Date.now() - RESTARTS_WITHIN_MS), Date.now()]
      if (restarts.length > RESTARTS) return log('error', 'the embedded database keeps ending; it is not started again')
      // A killed server's children hold its memory until they notice; a start before that is refused.
      await sleep(RESTART_AFTER_MS * restarts.length)
      try {
        if (stopping) return
        running = await start()
        return watch()
      } catch (error) {
        log('error', 'the embedded database could not be started again', { error: String(error) })
      }
    }
  }
  const ended = (): void => {
    if (stopping) return
    log('error', 'the embedded database ended by itself and is started again')
    restarting = restart()
  }
  const watch = (): void => {
    running.child?.once('exit', ended)
    if (running.child !== undefined) return
    // An adopted server is nobody's child, so nobody tells of its end.
    const { pid } = running.postmaster
    const look = setInterval(() => {
      if (!stopping && isServerOf(pid, data)) return
      clearInterval(look)
      ended()
    }, LOOK_AFTER_ADOPTED_MS)
    look.unref()
  }
  watch()
  const stop = async (): Promise<void> => {
    stopping = true
    await restarting
    if (!(await endServer(running.postmaster.pid, data)))
      log('error', 'the embedded database does not stop', { pid: running.postmaster.pid })
  }
  return { pid: () => running.postmaster.pid, stop }
}

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const place = findPlace(options.directory, options.log)
  const lock = lockDirectory(options.directory)
  try {
    const binaries = findBinaries(place.files, place.reachable)
    const secret = password(place)
    if (!existsSync(place.data)) await createData(place, binaries, secret)
    refuseOtherVersion(place, binaries)
    const adopted = await adopt(place, options)
    const running = adopted ?? (await launch(place, binaries, options))
    const { socketDirectory, port } = running.postmaster
    const connection = { kind: 'socket', host: socketDirectory, port, user: USER, password: secret, database: 'sallyport' } as const
    await makeDatabase(connection)
    const supervised = supervise(running, place.data, () => launch(place, binaries, options), options.log)
    const stop = async (): Promise<void> => {
      await supervised.stop()
      lock.release()
    }
    return { connection, adopted: adopted !== undefined, pid: supervised.pid, stop }
  } catch (error) {
    lock.release()
    throw error
  }
}
