// One gateway per directory: a lock file that names its holder, so that what a killed gateway left is taken over and a living one is not.

import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Misconfigured } from '@sallyport/core'

export interface DirectoryLock {
  release(): void
}

interface Holder {
  readonly pid: number
  /** When the process started, in ticks since boot: a process id alone may have gone to another process since. '' where it cannot be told. */
  readonly started: string
  /** Process ids mean something only within one machine and one pid namespace. */
  readonly where: string
  readonly token: string
}

/** Field 22 of /proc/PID/stat (proc(5)); the command in field 2 may hold spaces, hence the last parenthesis. */
function startedOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function here(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function readHolder(path: string): Holder | undefined {
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as Partial<Holder> | null
    if (found === null || typeof found !== 'object') return undefined
    const { pid, started, where, token } = found
    if (typeof pid !== 'number' || typeof started !== 'string' || typeof where !== 'string' || typeof token !== 'string')
      return undefined
    return { pid, started, where, token }
  } catch {
    return undefined
  }
}

/** A holder in another container cannot be seen from here; there the database's own locks keep two nodes apart. */
function holds(holder: Holder): boolean {
  if (holder.where !== here() || !isAlive(holder.pid)) return false
  return holder.started === '' || holder.started === startedOf(holder.pid)
}

/** Linking a finished file is atomic: a lock is never seen half written. */
function tryTake(path: string, mine: Holder): boolean {
  const draft = `${path}.${mine.token}`
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 })
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Takes away a dead holder's lock; where another taker was quicker, its lock is put back. */
function removeDead(path: string, dead: Holder | undefined): void {
  const aside = `${path}.${randomUUID()}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  const moved = readHolder(aside)
  if (moved !== undefined && moved.token !== dead?.token) {
    try {
      linkSync(aside, path)
    } catch {
      // A third one holds it now; either way it is held and this taker will see so.
    }
  }
  rmSync(aside, { force: true })
}

/** Throws Misconfigured where a living gateway holds `directory`. */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, 'lock')
  const mine: Holder = { pid: process.pid, started: startedOf(process.pid), where: here(), token: randomUUID() }
  for (let attempt = 0; attempt < 5; attempt++) {
    if (tryTake(path, mine)) {
      return {
        release: () => {
          if (readHolder(path)?.token === mine.token) rmSync(path, { force: true })
        },
      }
    }
    const holder = readHolder(path)
    if (holder !== undefined && holds(holder)) {
      throw new Misconfigured(
        'home-in-use',
        `${directory} is in use by process ${holder.pid}; stop it, or set SALLYPORT_HOME to another directory`,
      )
    }
    removeDead(path, holder)
  }
  throw new Misconfigured('home-in-use', `${path} is being taken by several processes at once; start one of them`)
}
