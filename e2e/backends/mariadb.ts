// A real MariaDB server on loopback: TLS, a user for each way of logging in, and every statement logged.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import { makeCertificates } from './certificates.js'
import { backendPassword, freePort } from './postgres.js'
import { program, serverUser } from './programs.js'

/** One user for each way a server may ask for a password. The names say which. */
export const mariadbUsers = { native: 'app_native', ed25519: 'app_ed25519', reader: 'app_reader' } as const

export interface MariadbFacts {
  readonly version: string
  readonly host: string
  readonly port: number
  readonly authorityFile: string
  readonly logFile: string
}

export interface MariadbServer {
  readonly facts: MariadbFacts
  stop(): Promise<void>
}

export async function startMariadb(): Promise<MariadbServer> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-mariadb-'))
  chmodSync(directory, 0o755)
  const data = join(directory, 'data')
  const run = join(directory, 'run')
  for (const path of [data, run]) {
    mkdirSync(path, { mode: 0o755 })
    give(path)
  }
  const install = program('mariadb-install-db')
  const installed = spawnSync(
    install,
    ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    { ...serverUser, encoding: 'utf8', cwd: '/' },
  )
  if (installed.status !== 0) throw new Error(`${install} failed: ${installed.stderr}${installed.stdout}`)
  await makeCertificates(run, directory)
  for (const file of ['server.key', 'server.crt']) give(join(run, file))
  const port = await freePort()
  const logFile = join(run, 'statements.log')
  const settings = [
    `--datadir=${data}`,
    `--socket=${run}/socket`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--pid-file=${run}/pid`,
  ]
  const tls = [`--ssl-cert=${run}/server.crt`, `--ssl-key=${run}/server.key`]
  const logging = [
    '--general-log=1',
    `--general-log-file=${logFile}`,
    '--innodb-flush-log-at-trx-commit=0',
    '--plugin-load-add=auth_ed25519',
  ]
  const child = spawn(program('mariadbd'), ['--no-defaults', ...settings, ...tls, ...logging, '--max-allowed-packet=64M'], {
    ...serverUser,
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: directory,
  })
  const version = await prepare({ host: '127.0.0.1', port }, child)
  const facts = { version, host: '127.0.0.1', port, logFile, authorityFile: join(directory, 'authority.crt') }
  return { facts, stop: () => stop(child, directory) }
}

function give(path: string): void {
  if (serverUser.uid !== undefined) chownSync(path, serverUser.uid, serverUser.gid)
}

async function prepare(place: { readonly host: string; readonly port: number }, child: ChildProcess): Promise<string> {
  let complaint = ''
  child.stderr?.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-4000)))
  for (let tries = 0; ; tries++) {
    try {
      const sql = [
        `create user ${mariadbUsers.native} identified via mysql_native_password using password('${backendPassword}')`,
        `create user ${mariadbUsers.ed25519} identified via ed25519 using password('${backendPassword}')`,
        `create user ${mariadbUsers.reader} identified via mysql_native_password using password('${backendPassword}')`,
        `grant all on *.* to ${mariadbUsers.native}`,
        `grant all on *.* to ${mariadbUsers.ed25519}`,
      ]
      for (const statement of sql) await onMariadb(place, statement)
      const [row] = (await onMariadb(place, 'select version() v')) as readonly { readonly v: string }[]
      return row?.v ?? ''
    } catch (error) {
      if (tries > 300 || child.exitCode !== null) throw new Error(`MariaDB did not start: ${complaint}`, { cause: error })
      await wait(50)
    }
  }
}

async function stop(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null) {
    const gone = new Promise((done) => child.once('exit', done))
    child.kill('SIGKILL') // nothing in it is worth a shutdown
    await gone
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}

/** Runs SQL (several statements at once, if need be) on the server itself, past the gateway. */
export async function onMariadb(place: { readonly host: string; readonly port: number }, sql: string): Promise<unknown> {
  const connection = await createConnection({ host: place.host, port: place.port, user: 'root', multipleStatements: true })
  try {
    const [rows] = await connection.query(sql)
    return rows
  } finally {
    await connection.end()
  }
}

/** What the server was asked since the log had this size. */
export function loggedSince(facts: MariadbFacts, size: number): string {
  return readFileSync(facts.logFile).subarray(size).toString('utf8')
}

export const logSize = (facts: MariadbFacts): number => statSync(facts.logFile).size
