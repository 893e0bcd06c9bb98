// PostgreSQL's own regression suite for exactly the server version this machine has: from Debian's source package, kept in .cache/.
// Nothing is installed: packages are fetched with a scratch list of sources and unpacked.

import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkout, run, runChecked, systemPostgres } from '../backends/programs.js'

export interface RegressSource {
  /** `src/test/regress` of the source. */
  readonly inputs: string
  readonly pgRegress: string
  /** Has regress.so, refint.so and autoinc.so. */
  readonly libraries: string
  readonly version: string
}

const longMs = 300_000

export async function fetchRegressSource(): Promise<RegressSource> {
  const binaries = systemPostgres()
  if (binaries === undefined) throw new Error("the regression suite needs Debian's PostgreSQL server")
  const major = /\/(\d+)\/bin$/.exec(binaries)?.[1] ?? ''
  const version = (await runChecked('dpkg-query', ['-W', '-f', '${Version}', `postgresql-${major}`])).trim()
  const cache = join(checkout, '.cache', 'pg_regress', version)
  const source = join(cache, 'source')
  const development = join(cache, 'development')
  const libraries = join(cache, 'libraries')
  mkdirSync(cache, { recursive: true })
  if (!existsSync(source)) await fetchSource(cache, source, `postgresql-${major}=${version}`)
  if (!existsSync(development)) {
    await runChecked('apt-get', ['download', `postgresql-server-dev-${major}=${version}`], { cwd: cache, withinMs: longMs })
    await runChecked('dpkg', ['-x', fileIn(cache, /server-dev.*\.deb$/), development])
  }
  if (!existsSync(libraries)) await buildLibraries(source, development, libraries, major)
  const pgRegress = join(binaries, '..', 'lib', 'pgxs', 'src', 'test', 'regress', 'pg_regress')
  return { inputs: join(source, 'src', 'test', 'regress'), pgRegress, libraries, version }
}

function fileIn(directory: string, pattern: RegExp): string {
  const name = readdirSync(directory).find((entry) => pattern.test(entry))
  if (name === undefined) throw new Error(`nothing like ${pattern} in ${directory}`)
  return join(directory, name)
}

async function fetchSource(cache: string, into: string, which: string): Promise<void> {
  const apt = join(cache, 'apt')
  mkdirSync(join(apt, 'lists', 'partial'), { recursive: true })
  mkdirSync(join(apt, 'cache', 'archives', 'partial'), { recursive: true })
  const list = join(apt, 'sources.list')
  writeFileSync(list, await sourceList())
  const places = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${join(apt, 'lists')}`,
    `Dir::Cache=${join(apt, 'cache')}`,
  ]
  const options = [...places, 'APT::Sandbox::User=root'].flatMap((option) => ['-o', option])
  await runChecked('apt-get', [...options, 'update'], { withinMs: longMs })
  await runChecked('apt-get', [...options, 'source', '--download-only', which], { cwd: cache, withinMs: longMs })
  mkdirSync(`${into}.part`, { recursive: true })
  await runChecked('tar', ['-xf', fileIn(cache, /\.orig\.tar\./), '-C', `${into}.part`, '--strip-components=1'], {
    withinMs: longMs,
  })
  renameSync(`${into}.part`, into)
}

/** This machine's own Debian archives, as sources. */
async function sourceList(): Promise<string> {
  const release = await runChecked('sh', ['-c', '. /etc/os-release && echo $VERSION_CODENAME'])
  const policy = (await run('apt-cache', ['policy'])).stdout
  const archives = new Set(policy.match(/https?:\/\/\S+debian\S*(?= )/g) ?? [])
  const code = release.trim()
  const lines = [...archives].flatMap((url) =>
    url.includes('security')
      ? [`deb-src ${url} ${code}-security main`]
      : [`deb-src ${url} ${code} main`, `deb-src ${url} ${code}-updates main`],
  )
  return `${lines.join('\n')}\n`
}

async function buildLibraries(source: string, development: string, into: string, major: string): Promise<void> {
  mkdirSync(`${into}.part`, { recursive: true })
  const headers = join(development, 'usr', 'include', 'postgresql', major, 'server')
  const code = join(source, 'src', 'test', 'regress', 'regress.c')
  const flags = ['-shared', '-fPIC', '-O1', '-w', `-I${headers}`, '-o', join(`${into}.part`, 'regress.so')]
  await runChecked('gcc', [...flags, code], { withinMs: longMs })
  for (const name of ['refint.so', 'autoinc.so'])
    copyFileSync(join('/usr/lib/postgresql', major, 'lib', name), join(`${into}.part`, name))
  renameSync(`${into}.part`, into)
}
