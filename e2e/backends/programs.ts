// Which programs of this machine the tests may use. Nothing is downloaded here: `.ci/provision` installs what is missing.

import { spawn, spawnSync } from 'node:child_process'
import { accessSync, chownSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout, whether this runs as source (vitest) or built (`e2e/dist`). */
export const checkout = findCheckout(dirname(fileURLToPath(import.meta.url)))

/** The unprivileged user that servers run as where the tests run as root: PostgreSQL refuses to run as root. */
export const serverUser = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

/** Makes a file or directory that user's own. */
export function giveToServer(path: string): void {
  if (serverUser.uid !== undefined) chownSync(path, serverUser.uid, serverUser.gid)
}

const programNames = [
  'mariadb',
  'mariadbd',
  'mariadb-dump',
  'mariadb-install-db',
  'psql',
  'pgbench',
  'pgbouncer',
  'openssl',
  'chromium',
  'ssh',
  'sshd',
  'ssh-keygen',
  'ssh-agent',
  'ssh-add',
  'sftp',
  'scp',
  'sftp-server',
  'rsync',
  'git',
  'curl',
  'python3',
  'nghttp',
  'nghttpd',
] as const
/** Used by benches and suites alone; no test needs them. */
type BenchProgram = 'mariadb-test' | 'sysbench' | 'haproxy' | 'nginx' | 'wrk' | 'mitmdump' | 'wstest'
export type ProgramName = (typeof programNames)[number] | BenchProgram

function findCheckout(from: string): string {
  if (existsSync(join(from, 'vitest.config.ts'))) return from
  const parent = dirname(from)
  if (parent === from) throw new Error('the checkout was not found above the tests')
  return findCheckout(parent)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The directory of the system's PostgreSQL server binaries, newest major version first; undefined where there is none. */
export function systemPostgres(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).filter((name) => /^\d+$/.test(name)) : []
  versions.sort((a, b) => Number(b) - Number(a))
  const directories = [...versions.map((version) => join(root, version, 'bin')), '/usr/local/pgsql/bin', '/opt/homebrew/bin']
  return directories.find((directory) => isExecutable(join(directory, 'initdb')) && isExecutable(join(directory, 'postgres')))
}

/** The path of a program; undefined where this machine does not have it. */
export function findProgram(name: ProgramName): string | undefined {
  const own = systemPostgres()
  const directories = [
    ...(own === undefined ? [] : [own]),
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    '/usr/lib/openssh',
  ]
  return directories.map((directory) => resolve(directory, name)).find(isExecutable)
}

export function program(name: ProgramName): string {
  const path = findProgram(name)
  if (path === undefined) throw new Error(`${name} is not on this machine; .ci/provision says how to get it`)
  return path
}

/** Programs missing here, for `describe.skipIf`. */
export function lacks(...names: readonly ProgramName[]): boolean {
  return names.some((name) => findProgram(name) === undefined)
}

/** A Python that has this module; undefined where none has. */
export function pythonWith(module: string): string | undefined {
  const candidates = ['/usr/bin/python3', findProgram('python3')].filter((path) => path !== undefined)
  return candidates.find((path) => isExecutable(path) && spawnSync(path, ['-c', `import ${module}`]).status === 0)
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly input?: string
  readonly cwd?: string
  readonly withinMs?: number
  readonly uid?: number
  readonly gid?: number
}

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const outputLimitBytes = 256 * 1024 * 1024

/** Runs a program to its end and gives back what it printed. It is ended when its time is up. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const withinMs = options.withinMs ?? 60_000
  return new Promise((done, fail) => {
    const { uid, gid, cwd = checkout } = options
    const child = spawn(command, args, { env: { ...process.env, ...options.env }, cwd, uid, gid, stdio: 'pipe' })
    const out: Buffer[] = []
    const err: Buffer[] = []
    let size = 0
    const keep = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length
      if (size > outputLimitBytes) child.kill('SIGKILL')
      else into.push(chunk)
    }
    const clock = setTimeout(() => child.kill('SIGKILL'), withinMs)
    child.stdout.on('data', keep(out))
    child.stderr.on('data', keep(err))
    child.stdin.on('error', () => undefined) // the program may end before it has read its input
    child.stdin.end(options.input ?? '')
    child.on('error', (error) => {
      clearTimeout(clock)
      fail(error)
    })
    child.on('close', (code) => {
      clearTimeout(clock)
      done({ code, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') })
    })
  })
}

/** Runs a program that must succeed. */
export async function runChecked(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options)
  if (result.code !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${result.code}:\n${result.stderr}${result.stdout}`)
  return result.stdout
}

/** The same as the servers' user, whose own this checkout need not be. */
export async function runAsServer(command: string, args: readonly string[]): Promise<void> {
  await runChecked(command, args, { ...serverUser, cwd: '/' })
}

/** Whether the servers' unprivileged user can run this program (a checkout under /root cannot be entered by others). */
export function serverUserCanRun(path: string, args: readonly string[]): boolean {
  return spawnSync(path, args, { ...serverUser, stdio: 'ignore', cwd: '/' }).status === 0
}

/** One line for each program the tests drive: its version, or that it is missing. */
export function programVersions(): Promise<readonly string[]> {
  return Promise.all(
    programNames.map(async (name) => {
      const path = findProgram(name)
      const printed = path === undefined ? undefined : await run(path, [name === 'openssl' ? 'version' : '--version'])
      return printed === undefined ? `missing: ${name}; its tests are skipped` : (printed.stdout.split('\n')[0] ?? name)
    }),
  )
}
