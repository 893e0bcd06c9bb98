// The ways to the same database that are compared: direct, through pgbouncer (session mode), through a bare pipe in Node, through Sallyport.

import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect } from 'node:net'
import { startGateway, type Gateway } from '../backends/gateway.js'
import { backendPassword, freePort, users, type PostgresFacts } from '../backends/postgres.js'
import { findProgram, giveToServer, serverUser } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'

export interface Path {
  readonly name: 'direct' | 'pgbouncer' | 'pipe' | 'sallyport'
  readonly url: string
  /** The process whose CPU time counts; absent where there is none between client and server. */
  readonly pid?: number
  stop(): Promise<void>
}

export const databaseName = 'bench'

export function directPath(facts: PostgresFacts): Path {
  const url = `postgresql://${users.scram}:${backendPassword}@127.0.0.1:${facts.port}/${databaseName}`
  return { name: 'direct', url, stop: () => Promise.resolve() }
}

const pgbouncerSettings = (port: number, directory: string): string => `
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(directory, 'users.txt')}
pool_mode = session
max_client_conn = 2000
default_pool_size = 100
server_round_robin = 0
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
`

export async function pgbouncerPath(facts: PostgresFacts): Promise<Path | undefined> {
  const command = findProgram('pgbouncer')
  if (command === undefined) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-pgbouncer-'))
  chmodSync(directory, 0o755)
  const port = await freePort()
  const file = join(directory, 'pgbouncer.ini')
  const server = `[databases]\n${databaseName} = host=127.0.0.1 port=${facts.port} dbname=${databaseName} user=${users.scram} password=${backendPassword}\n`
  writeFileSync(file, server + pgbouncerSettings(port, directory))
  writeFileSync(join(directory, 'users.txt'), `"${users.scram}" "${backendPassword}"\n`)
  giveToServer(join(directory, 'users.txt'))
  const child = spawn(command, [file], { ...serverUser, stdio: 'ignore', cwd: directory })
  const ended = new Promise((done) => child.once('exit', done))
  await waitFor(
    () => answers(port),
    10_000,
    () => 'pgbouncer',
  )
  const stop = async (): Promise<void> => {
    child.kill('SIGINT')
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
  const url = `postgresql://${users.scram}:${backendPassword}@127.0.0.1:${port}/${databaseName}`
  return { name: 'pgbouncer', url, pid: child.pid ?? 0, stop }
}

/** A proxy in Node that reads nothing: what the runtime alone costs. */
export async function pipePath(facts: PostgresFacts): Promise<Path> {
  const port = await freePort()
  const program = fileURLToPath(new URL('pipe.js', import.meta.url))
  const child = spawn(process.execPath, [program, String(facts.port), String(port)], { stdio: 'ignore' })
  const ended = new Promise((done) => child.once('exit', done))
  await waitFor(
    () => answers(port),
    10_000,
    () => 'the pipe',
  )
  const stop = async (): Promise<void> => {
    child.kill()
    await ended
  }
  const url = `postgresql://${users.scram}:${backendPassword}@127.0.0.1:${port}/${databaseName}`
  return { name: 'pipe', url, pid: child.pid ?? 0, stop }
}

export function answers(port: number): Promise<true | undefined> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(undefined))
  })
}

const configuration = (facts: PostgresFacts): string => `
identities:
  - { name: bench, kind: agent, groups: [agents] }
  - { name: dana, kind: person, groups: [dba] }
targets:
  - name: bench
    protocol: postgres
    address: 127.0.0.1:${facts.port}
    database: ${databaseName}
    tls: "off"
    credential: { username: ${users.scram}, password: { env: BENCH_PASSWORD } }
grants:
  - { groups: [agents], targets: [bench] }
rules:
  - name: no-schema-changes
    who: { kind: agent }
    what: { access: [schema, admin] }
    then: deny
    reason: Not by agents.
  - name: unbounded-writes
    what: { verbs: [update, delete], bounded: false }
    then: review
    reviewers: { groups: [dba], count: 1 }
    within: 15m
  - name: personal-data
    what: { columns: ["*.people.email"] }
    then: mask
    with: redact
`

/** The gateway with everything on: rules of each kind that apply to the statements run here, and recording. */
export async function sallyportPath(facts: PostgresFacts): Promise<Path & { readonly gateway: Gateway }> {
  const gateway = await startGateway(configuration(facts), { env: { BENCH_PASSWORD: backendPassword } })
  return { name: 'sallyport', url: await gateway.url('bench', 'bench'), pid: gateway.pid(), gateway, stop: () => gateway.remove() }
}
