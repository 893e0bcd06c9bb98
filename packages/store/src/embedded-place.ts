// Where the embedded server's files lie and whom it runs as. Postgres refuses to run as root, so there it becomes `nobody`, who must be
// able to walk to its files; and a unix socket's path has a length limit.

import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import type { StoreLog } from './connection.js'

export interface Place {
  /** Ours: lock, password, log and the records of what lies elsewhere. */
  readonly directory: string
  /** Holds `data` and the server's programs. */
  readonly files: string
  readonly data: string
  /** The user the server runs as, where it cannot be ours. */
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly reachable: (path: string) => boolean
}

/** `nobody` and `nogroup` on every common system; initdb needs a user that has a name. */
const NOBODY = 65534
/** sockaddr_un holds 108 bytes on Linux and 104 on macOS, with a NUL at the end (unix(7)). */
const SOCKET_PATH_BYTES = 103
/** Where files go that `nobody` could not reach in a home below, say, /root. */
const SYSTEM_DIRECTORY = '/var/lib/sallyport'

export const EMBEDDED_PORT = 5432

function mayPass(path: string, uid: number): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return false
  return (found.mode & (found.uid === uid ? 0o100 : 0o001)) !== 0
}

function reachableBy(uid: number): (path: string) => boolean {
  return (path) => {
    for (let at = resolve(path); ; at = dirname(at)) {
      if (!mayPass(at, uid)) return false
      if (at === dirname(at)) return true
    }
  }
}

function makeOwned(path: string, place: Pick<Place, 'user'>): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  if (place.user !== undefined) chownSync(path, place.user.uid, place.user.gid)
  chmodSync(path, 0o700)
}

function elsewhere(directory: string, record: string, log: StoreLog): string {
  if (existsSync(record)) return readFileSync(record, 'utf8').trim()
  try {
    mkdirSync(SYSTEM_DIRECTORY, { recursive: true, mode: 0o711 })
    const files = mkdtempSync(join(SYSTEM_DIRECTORY, 'embedded-'))
    chmodSync(files, 0o711)
    writeFileSync(record, `${files}\n`, { mode: 0o600 })
    log('warn', `the embedded database runs as user ${NOBODY}, who may not enter ${directory}; its files are in ${files}`)
    return files
  } catch (cause) {
    throw new Misconfigured(
      'embedded-place',
      `as root, the embedded database runs as user ${NOBODY}, who may not enter ${directory}, and ${SYSTEM_DIRECTORY} cannot be written; ` +
        'run as another user, make every directory above it passable (chmod o+x), or set SALLYPORT_HOME elsewhere',
      { cause },
    )
  }
}

/** Lets `uid` pass through Sallyport's own home where that alone is in the way: pass, not look; what is private in it has modes of its own. */
function letPass(home: string, uid: number, reachable: (path: string) => boolean): void {
  const found = statSync(home)
  if (found.uid === 0 && !mayPass(home, uid) && reachable(dirname(home))) chmodSync(home, (found.mode & 0o7777) | 0o001)
}

export function findPlace(directory: string, log: StoreLog): Place {
  const asRoot = process.getuid?.() === 0
  mkdirSync(directory, { recursive: true, mode: asRoot ? 0o711 : 0o700 })
  if (!asRoot) return { directory, files: directory, data: join(directory, 'data'), reachable: () => true }
  chmodSync(directory, 0o711)
  const reachable = reachableBy(NOBODY)
  letPass(dirname(resolve(directory)), NOBODY, reachable)
  const record = join(directory, 'place')
  const files = !existsSync(record) && reachable(directory) ? directory : elsewhere(directory, record, log)
  if (!reachable(files))
    throw new Misconfigured('embedded-place', `user ${NOBODY} may not enter ${files}, where ${record} says the database is`)
  return { directory, files, data: join(files, 'data'), user: { uid: NOBODY, gid: NOBODY }, reachable }
}

export function makeDataDirectory(place: Place, path: string): void {
  makeOwned(path, place)
}

/** The socket's directory; a short one under the system's temporary directory, noted in a file, where ours makes too long a path. */
export function makeSocketDirectory(place: Place): string {
  const fits = (path: string): boolean => Buffer.byteLength(join(path, `.s.PGSQL.${EMBEDDED_PORT}.lock`)) <= SOCKET_PATH_BYTES
  const own = join(place.files, 'socket')
  if (fits(own)) {
    makeOwned(own, place)
    return own
  }
  const record = join(place.directory, 'socket-directory')
  const noted = existsSync(record) ? readFileSync(record, 'utf8').trim() : ''
  const owner = noted === '' ? undefined : statSync(noted, { throwIfNoEntry: false })
  // A directory of that name that is not ours may be a trap another user has set since a reboot cleared /tmp.
  if (owner !== undefined && owner.uid === (place.user?.uid ?? process.getuid?.()) && (owner.mode & 0o077) === 0) return noted
  const made = mkdtempSync(join(tmpdir(), 'sallyport-'))
  if (!fits(made))
    throw new Misconfigured('embedded-socket', `${made} is too long for a unix socket; set TMPDIR to a shorter directory`)
  if (place.user !== undefined && !place.reachable(tmpdir())) {
    throw new Misconfigured(
      'embedded-socket',
      `user ${place.user.uid} may not enter ${tmpdir()}; set TMPDIR to a directory that everyone may enter`,
    )
  }
  makeOwned(made, place)
  writeFileSync(record, `${made}\n`, { mode: 0o600 })
  return made
}
