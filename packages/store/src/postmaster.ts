// Looks at the server process of a data directory: who it is, whether it lives, whether it is ready; and ends it.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from './directory-lock.js'

/** What postmaster.pid says, line by line (PostgreSQL source, src/include/utils/pidfile.h). */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly socketDirectory: string
  readonly listens: string
  readonly ready: boolean
}

/** A fast shutdown writes a checkpoint; what takes longer than this on a modest database is stuck. */
const FAST_STOP_WITHIN_MS = 20_000
const IMMEDIATE_STOP_WITHIN_MS = 5_000
const POLL_MS = 10

export function readPostmaster(data: string): Postmaster | undefined {
  const path = join(data, 'postmaster.pid')
  if (!existsSync(path)) return undefined
  const lines = readFileSync(path, 'utf8').split('\n')
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return {
    pid,
    port: Number(lines[3] ?? 0),
    socketDirectory: (lines[4] ?? '').trim(),
    listens: (lines[5] ?? '').trim(),
    ready: (lines[7] ?? '').trim() === 'ready',
  }
}

/** A process id may have gone to another process; the server works in its data directory, which tells it apart. */
export function isServerOf(pid: number, data: string): boolean {
  if (!isAlive(pid)) return false
  try {
    if (process.platform === 'linux') return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data)
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes(data)
  } catch {
    return false
  }
}

/** Whether the data's server was started from this program: the first word of postmaster.opts, which it writes at each start. */
export function runsProgram(data: string, program: string): boolean {
  try {
    return readFileSync(join(data, 'postmaster.opts'), 'utf8').startsWith(`${program} `)
  } catch {
    return false
  }
}

/** An ended server that nobody has reaped yet still has a process id; removing its file is the last thing it does. */
async function gone(pid: number, data: string, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs
  while (isAlive(pid) && readPostmaster(data)?.pid === pid) {
    if (performance.now() > until) return false
    await sleep(POLL_MS)
  }
  return true
}

/** Fast shutdown, then immediate (crash recovery follows at the next start): the two signals are PostgreSQL's own. */
export async function endServer(pid: number, data: string): Promise<boolean> {
  for (const [signal, withinMs] of [
    ['SIGINT', FAST_STOP_WITHIN_MS],
    ['SIGQUIT', IMMEDIATE_STOP_WITHIN_MS],
  ] as const) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true
      throw error
    }
    if (await gone(pid, data, withinMs)) return true
  }
  return false
}

/** Resolves with what the server says of itself once it is ready; undefined where it ended or took too long. */
export async function becomesReady(
  data: string,
  pid: number,
  ended: () => boolean,
  withinMs: number,
): Promise<Postmaster | undefined> {
  const until = performance.now() + withinMs
  while (performance.now() < until && !ended()) {
    const found = readPostmaster(data)
    if (found?.pid === pid && found.ready) return found
    await sleep(POLL_MS)
  }
  return undefined
}
