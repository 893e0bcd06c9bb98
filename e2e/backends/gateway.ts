// A Sallyport gateway as its operator runs it: the built command in a child process, with a home of its own.

import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run as runHere } from '@sallyport/cli'
import { waitFor } from './psql.js'
import { endEmbedded } from './records.js'
import { checkout, run, type RunResult } from './programs.js'

const entry = join(checkout, 'packages', 'cli', 'bin', 'sallyport.js')

export interface Gateway {
  readonly home: string
  readonly host: string
  /** The port Postgres clients connect to. */
  readonly port: number
  readonly sshPort: number
  /** The ports for MySQL clients, and for all. */
  readonly mysqlPort: number
  readonly httpPort: number
  readonly autoPort: number
  readonly consoleAddress: string
  readonly pid: () => number
  /** Everything the gateway has printed, both streams. */
  readonly log: () => string
  /** Waits until it has printed this: what it says of something comes a moment after it. */
  logged(what: RegExp): Promise<unknown>
  /** Runs `sallyport ARGS` against this gateway; `as` is the token to act with (the operator's own where absent). */
  cli(
    args: readonly string[],
    options?: { readonly as?: string; readonly input?: string; readonly withinMs?: number },
  ): Promise<RunResult>
  /** The same command with `--json`, without a process of its own; it must succeed. */
  json<T>(...args: readonly string[]): Promise<T>
  /** A new access token. */
  token(identity: string, ...args: readonly string[]): Promise<string>
  /** The operator's own, which the gateway made. */
  adminToken(): string
  /** The connection URL of an identity (a token is made once for each) at a target. */
  url(identity: string, target: string, parameters?: string): Promise<string>
  /** Starts it again in the same home after it was stopped or killed. */
  restart(): Promise<void>
  /** Ends it as a service manager does, and waits. */
  stop(): Promise<number | null>
  /** SIGKILL, and waits. */
  kill(): Promise<void>
  /** Stops it and removes its home. */
  remove(): Promise<void>
}

export interface GatewayOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly startWithinMs?: number
}

interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  readonly listening: ReadonlyMap<string, string>
}

const logLimit = 8_000_000

const listeners = `listen:
  - { protocol: postgres, address: 127.0.0.1:0 }
  - { protocol: ssh, address: 127.0.0.1:0 }
  - { protocol: mysql, address: 127.0.0.1:0 }
  - { protocol: http, address: 127.0.0.1:0 }
  - { protocol: auto, address: 127.0.0.1:0 }
console: { address: 127.0.0.1:0 }
`

/** `configuration` is what sallyport.yaml says, less `listen` and `console`, which get free ports. */
export async function startGateway(configuration: string, options: GatewayOptions = {}): Promise<Gateway> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-gateway-'))
  const home = join(directory, 'home')
  // Passable, as the directories above an installation's home are: as root, the embedded database runs as another user.
  chmodSync(directory, 0o711)
  mkdirSync(home, { mode: 0o711 })
  const file = join(directory, 'sallyport.yaml')
  writeFileSync(file, `${listeners}${configuration}`)
  const env = { ...process.env, ...options.env, SALLYPORT_HOME: home }
  const said = { text: '' }
  const tokens = new Map<string, Promise<string>>()
  const launch = (): Promise<Running> => launchGateway(file, env, said, options.startWithinMs ?? 60_000)
  let running = await launch()
  const address = (name: string): string => running.listening.get(name) ?? ''
  const cli: Gateway['cli'] = (args, { as, ...rest } = {}) =>
    run(entry, args, { ...rest, env: { ...options.env, SALLYPORT_HOME: home, SALLYPORT_TOKEN: as } })
  const checked = (args: readonly string[]): Promise<string> => runCommandHere(args, { ...options.env, SALLYPORT_HOME: home })
  const token = async (identity: string, ...args: readonly string[]): Promise<string> =>
    /\bsp_[0-9A-Za-z]+/.exec(await checked(['token', 'create', identity, ...args]))?.[0] ?? ''
  const gateway: Gateway = {
    home,
    get host() {
      return address('postgres').slice(0, address('postgres').lastIndexOf(':'))
    },
    get port() {
      return Number(address('postgres').slice(address('postgres').lastIndexOf(':') + 1))
    },
    get sshPort() {
      return portOf(address('ssh'))
    },
    get mysqlPort() {
      return portOf(address('mysql'))
    },
    get httpPort() {
      return portOf(address('http'))
    },
    get autoPort() {
      return portOf(address('auto'))
    },
    get consoleAddress() {
      return address('console')
    },
    pid: () => running.child.pid ?? 0,
    log: () => said.text,
    logged: (what) =>
      waitFor(
        () => what.exec(said.text) ?? undefined,
        5_000,
        () => `the gateway to say ${what}; it said:\n${said.text}`,
      ),
    cli,
    json: async (...args) => JSON.parse(await checked([...args, '--json'])),
    token,
    adminToken: () => readFileSync(join(home, 'admin.token'), 'utf8').trim(),
    url: async (identity, target, parameters = '') => {
      const known = tokens.get(identity) ?? token(identity)
      tokens.set(identity, known)
      return `postgresql://${identity}:${await known}@127.0.0.1:${gateway.port}/${target}${parameters === '' ? '' : `?${parameters}`}`
    },
    restart: async () => {
      await finish(running, 'SIGTERM')
      running = await launch()
    },
    stop: () => finish(running, 'SIGTERM'),
    kill: async () => void (await finish(running, 'SIGKILL')),
    remove: async () => {
      await finish(running, 'SIGTERM')
      endEmbedded(home)
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  return gateway
}

/** A command in this process: what a test only asks by the way needs no Node of its own each time. */
async function runCommandHere(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  let [stdout, stderr] = ['', '']
  const code = await runHere(args, {
    env,
    isTty: false,
    out: (text) => (stdout += text.endsWith('\n') ? text : `${text}\n`),
    err: (text) => (stderr += `${text}\n`),
    drained: async () => {},
  })
  if (code !== 0) throw new Error(`sallyport ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`)
  return stdout
}

async function launchGateway(file: string, env: NodeJS.ProcessEnv, said: { text: string }, withinMs: number): Promise<Running> {
  const child = spawn(entry, ['start', '-c', file], { env, stdio: ['ignore', 'pipe', 'pipe'], cwd: checkout })
  let own = ''
  const keep = (chunk: Buffer): void => {
    own = (own + chunk.toString('utf8')).slice(-logLimit)
    said.text = (said.text + chunk.toString('utf8')).slice(-logLimit)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const ended = new Promise<number | null>((done) => child.once('close', done))
  const listening = await waitFor(
    () => {
      if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode} at its start:\n${own}`)
      return /^ready\b/m.test(own) ? addresses(own) : undefined
    },
    withinMs,
    () => `the gateway to be ready; it printed:\n${own}`,
  )
  return { child, ended, listening }
}

/** `listening postgres 127.0.0.1:5555` and `console http://127.0.0.1:6666`, however they are decorated. */
function addresses(printed: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const line of printed.split('\n')) {
    const match = /^(?:listening|console)\b.*?(\d+\.\d+\.\d+\.\d+:\d+)/.exec(line)
    const name = /\b(postgres|auto|console|mysql|ssh|http)\b/.exec(line)?.[1]
    if (match?.[1] !== undefined && name !== undefined) found.set(name, match[1])
  }
  return found
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))

async function finish(running: Running, signal: NodeJS.Signals): Promise<number | null> {
  if (running.child.exitCode === null && running.child.signalCode === null) running.child.kill(signal)
  const clock = setTimeout(() => running.child.kill('SIGKILL'), 30_000)
  const code = await running.ended
  clearTimeout(clock)
  return code
}
