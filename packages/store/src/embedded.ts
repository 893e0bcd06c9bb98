// The embedded database: a real PostgreSQL of our own, made at the first start, adopted where an earlier gateway was killed and left it
// running, and stopped with us. Reached by a unix socket in a directory that only its owner may enter, with a password besides.

import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Misconfigured } from '@sallyport/core'
import { carryOver } from './carry-over.js'
import type { CarryOver } from './carry-over.js'
import type { StoreLog } from './connection.js'
import { lockDirectory } from './directory-lock.js'
import { EMBEDDED_PORT, findPlace } from './embedded-place.js'
import type { Place } from './embedded-place.js'
import { createData, launch, makeDatabase, READY_WITHIN_MS, socketConnection } from './embedded-server.js'
import type { Listening, Running, SocketConnection, Tcp } from './embedded-server.js'
import { finishUpgrade, upgradeData, versionOf } from './embedded-upgrade.js'
import { findPackage, keepEngine } from './engine.js'
import type { Engine, EnginePackage } from './engine.js'
import { becomesReady, endServer, isServerOf, readPostmaster, runsProgram } from './postmaster.js'

export interface EmbeddedOptions {
  readonly directory: string
  readonly log: StoreLog
  /** Also listens there: for samples and tests that need a server to reach over TCP. */
  readonly tcp?: Tcp
  /** The server's programs; those that npm brought by default. */
  readonly engine?: EnginePackage
  /** What is brought along where the programs are of a newer major version than the data; by default all that a store keeps. */
  readonly carryOver?: CarryOver
}

export interface EmbeddedPostgres {
  readonly connection: SocketConnection
  /** The server was already running: an earlier gateway was killed. */
  readonly adopted: boolean
  /** The server's process id now. */
  pid(): number
  stop(): Promise<void>
}

/** A server that dies again and again must not be started for ever. */
const RESTARTS = 5
const RESTARTS_WITHIN_MS = 60_000
const RESTART_AFTER_MS = 300
const LOOK_AFTER_ADOPTED_MS = 1_000

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

/** The server an earlier gateway left running, where it is this one and listens as it should; otherwise it is stopped or its stale mark removed. */
async function adopt(place: Place, engine: Engine, listening: Listening): Promise<Running | undefined> {
  const found = readPostmaster(place.data)
  if (found === undefined) return undefined
  if (!isServerOf(found.pid, place.data)) {
    rmSync(join(place.data, 'postmaster.pid'), { force: true })
    return undefined
  }
  const listens = listening.tcp === undefined ? '' : '127.0.0.1'
  const ready = await becomesReady(place.data, found.pid, () => !isServerOf(found.pid, place.data), READY_WITHIN_MS)
  const same = ready?.listens === listens && ready.port === listening.port && runsProgram(place.data, engine.postgres)
  if (same) return { postmaster: ready, child: undefined }
  if (!(await endServer(found.pid, place.data))) {
    throw new Misconfigured('embedded-stuck', `process ${found.pid} serves ${place.data} and cannot be stopped; end it by hand`)
  }
  return undefined
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
    const engine = keepEngine(place.files, options.engine ?? findPackage())
    finishUpgrade(place)
    const secret = password(place)
    if (!existsSync(place.data)) await createData(place, engine, secret)
    if (versionOf(place) !== engine.majorVersion) {
      await upgradeData(place, engine, { secret, carryOver: options.carryOver ?? carryOver, log: options.log })
    }
    const listening = { port: options.tcp?.port ?? EMBEDDED_PORT, tcp: options.tcp }
    const adopted = await adopt(place, engine, listening)
    const running = adopted ?? (await launch(place, engine, listening))
    const connection = socketConnection(running, secret)
    await makeDatabase(connection)
    const supervised = supervise(running, place.data, () => launch(place, engine, listening), options.log)
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
