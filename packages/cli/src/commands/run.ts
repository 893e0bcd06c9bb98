// Programs with the credentials of one identity in their environment and nowhere else: psql or mysql on one target, or anything on all of them.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import type { ReachableTarget } from '@sallyport/api'
import { Misconfigured, secret } from '@sallyport/core'
import type { Secret } from '@sallyport/core'
import { openClient } from '../client/gateway-client.js'
import type { GatewayClient } from '../client/gateway-client.js'
import type { Terminal } from '../output/terminal.js'
import { environmentFor, programFor } from './environments.js'
import { sshEnvironment } from './ssh-environment.js'

interface Credentials {
  readonly name: string
  readonly token: Secret
  readonly client: GatewayClient
  /** Ends a token that was made for this run alone. */
  readonly giveBack: () => Promise<void>
}

/** A token made for one command lives as long as a working day, and ends with the command. */
const RUN_TTL_SECONDS = 12 * 3600

export async function connectCommand(
  target: string,
  args: readonly string[],
  options: { readonly as?: string },
  terminal: Terminal,
): Promise<number> {
  return withCredentials(options.as, terminal, async (credentials) => {
    const targets = await credentials.client.call<readonly ReachableTarget[]>('GET', '/targets')
    const name = target.split('.')[0]
    const found = targets.find((each) => each.name === name)
    if (found === undefined)
      throw new Misconfigured(
        'unknown-target',
        `${credentials.name} may reach no target ${target}; \`sallyport targets\` lists what is there`,
      )
    return withEnvironment([found], target, credentials, terminal, (environment, authority) => {
      if (found.protocol === 'http') return execute('curl', curlArguments(found, args, environment), environment, terminal)
      const own = programFor(found.protocol, target, {
        name: credentials.name,
        authority,
        sshConfig: environment['SALLYPORT_SSH_CONFIG'],
      })
      return execute(own.program, [...own.args, ...args], environment, terminal)
    })
  })
}

export async function runCommand(
  program: string,
  args: readonly string[],
  options: { readonly as?: string },
  terminal: Terminal,
): Promise<number> {
  return withCredentials(options.as, terminal, async (credentials) => {
    const targets = await credentials.client.call<readonly ReachableTarget[]>('GET', '/targets')
    // One target: `psql` (or `mysql`) alone reaches it. Several: their names are the databases to pick from.
    const database = targets.length === 1 ? targets[0]?.name : undefined
    return withEnvironment(targets, database, credentials, terminal, (environment) => execute(program, args, environment, terminal))
  })
}

/** `/path` is a path at the target; all else is curl's own. The token is in a file that curl reads: arguments can be seen by others. */
function curlArguments(
  target: ReachableTarget,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): readonly string[] {
  const base = (target.connection ?? '').replace(/\/$/, '')
  const paths = args.some((arg) => arg.startsWith('/')) ? args : [...args, '/']
  return ['--config', environment['SALLYPORT_CURL'] ?? '', ...paths.map((arg) => (arg.startsWith('/') ? base + arg : arg))]
}

async function withCredentials(
  as: string | undefined,
  terminal: Terminal,
  use: (credentials: Credentials) => Promise<number>,
): Promise<number> {
  const credentials = await credentialsFor(as, terminal)
  try {
    return await use(credentials)
  } finally {
    await credentials
      .giveBack()
      .catch((error: unknown) => terminal.err(`the token made for this could not be revoked: ${String(error)}`))
  }
}

async function credentialsFor(as: string | undefined, terminal: Terminal): Promise<Credentials> {
  const client = openClient(terminal.env)
  if (as === undefined) {
    const me = await client.call<{ readonly name: string; readonly kind: string }>('GET', '/whoami')
    if (me.kind === 'admin' || client.token === undefined) {
      throw new Misconfigured('as-whom', 'as whom? set SALLYPORT_TOKEN, or add --as IDENTITY')
    }
    return { name: me.name, token: client.token, client, giveBack: async () => {} }
  }
  const made = await client.call<{ readonly id: string; readonly token: string }>('POST', '/tokens', {
    identity: as,
    ttlSeconds: RUN_TTL_SECONDS,
  })
  const token = secret(made.token)
  const giveBack = async (): Promise<void> => void (await client.call('DELETE', `/tokens/${encodeURIComponent(made.id)}`))
  return { name: as, token, client: openClient(terminal.env, token), giveBack }
}

async function withEnvironment(
  targets: readonly ReachableTarget[],
  database: string | undefined,
  credentials: Credentials,
  terminal: Terminal,
  use: (environment: Readonly<Record<string, string>>, authority: string) => Promise<number>,
): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-'))
  try {
    const authority = join(directory, 'authority.crt')
    writeFileSync(authority, await credentials.client.text('/authority'))
    const http = targets.find((target) => target.protocol === 'http' && target.endpoint !== null)?.endpoint ?? undefined
    const ssh = sshEnvironment(targets, credentials.name, (await credentials.client.text('/ssh-host-key')).trim(), directory)
    const token = credentials.token.reveal()
    const environment = {
      ...withoutOurs(terminal.env, http !== undefined),
      ...(http === undefined ? {} : proxyEnvironment(http, credentials, directory, authority)),
      SALLYPORT_URL: credentials.client.url,
      SALLYPORT_TOKEN: token,
      SALLYPORT_CA: authority,
      SALLYPORT_TARGETS: targets.map((target) => target.name).join(','),
      ...ssh?.variables,
      ...environmentFor(targets, database, { name: credentials.name, token, authority }),
    }
    return await use(environment, authority)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The gateway as the proxy for everything, and its authority as the one that curl, OpenSSL, Python's requests and Node trust. */
function proxyEnvironment(
  endpoint: { readonly host: string; readonly port: number },
  { name, token }: Credentials,
  directory: string,
  authority: string,
): Readonly<Record<string, string>> {
  const host = isIP(endpoint.host) === 6 ? `[${endpoint.host}]` : endpoint.host
  const proxy = `http://${encodeURIComponent(name)}:${encodeURIComponent(token.reveal())}@${host}:${endpoint.port}`
  const curl = join(directory, 'curl')
  // Hosts that a rule lets tunnels through to show certificates of their own.
  const bundle = join(directory, 'authorities.crt')
  writeFileSync(bundle, [readFileSync(authority, 'utf8').trimEnd(), ...rootCertificates, ''].join('\n'))
  writeFileSync(curl, `header = "Sallyport-Token: ${token.reveal()}"\nnoproxy = "*"\n`, { mode: 0o600 })
  return {
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
    https_proxy: proxy,
    http_proxy: proxy,
    SSL_CERT_FILE: bundle,
    CURL_CA_BUNDLE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    NODE_EXTRA_CA_CERTS: authority,
    SALLYPORT_HTTP: `http://${host}:${endpoint.port}`,
    SALLYPORT_CURL: curl,
  }
}

const proxyNames = /^(?:https?|no|all)_proxy$/i

/** The program must not find its way past its own identity, nor to another server than meant. */
function withoutOurs(env: Readonly<Record<string, string | undefined>>, proxied: boolean): Record<string, string> {
  const kept = Object.entries(env).filter(([name]) => !/^(PG|MYSQL_|SALLYPORT_)/.test(name) && !(proxied && proxyNames.test(name)))
  return Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

/** Answers the program's exit code; 128 and the signal's number where a signal ended it, as shells do. */
function execute(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  terminal: Terminal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: { ...environment } })
    // Ctrl-C is for the program; we stay to give the token back.
    const stay = (): void => {}
    const passOn = (): void => void child.kill('SIGTERM')
    process.on('SIGINT', stay)
    // Also where the terminal is closed: the token is still to be given back.
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, passOn)
    const over = (): void => {
      process.off('SIGINT', stay)
      for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, passOn)
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      over()
      if (error.code !== 'ENOENT') return reject(error)
      terminal.err(`sallyport: there is no program ${program}; install it, or mend PATH`)
      resolve(127)
    })
    child.once('exit', (code, signal) => {
      over()
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
    })
  })
}
