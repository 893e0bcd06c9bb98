// One gateway node, built in the order in which it must be: configuration, home, database, store, recorder, vault, identity, policy,
// reviews, listeners, API. What was built is taken down in the opposite order, also where building stops half way.

import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createApi } from '@sallyport/api'
import type { Protocol } from '@sallyport/core'
import { createGateway, gatewayTls, splitAddress } from '@sallyport/gateway'
import type { Gateway } from '@sallyport/gateway'
import { http } from '@sallyport/http'
import { createAuthenticator } from '@sallyport/identity'
import { postgres } from '@sallyport/postgres'
import { openRecorder } from '@sallyport/recorder'
import { createReviews } from '@sallyport/review'
import { openSqlReader } from '@sallyport/sql'
import { connectionFromUrl, lockDirectory, openStore, startEmbedded } from '@sallyport/store'
import type { StoreConnection } from '@sallyport/store'
import { openVault } from '@sallyport/vault'
import type { Configuration } from '../configuration/load.js'
import { announce, withdraw } from '../home.js'
import type { Home } from '../home.js'
import { shipWorker } from '../ship-worker.js'
import { apiParts } from './api-parts.js'
import { KeptDefinitions } from './kept-definitions.js'
import { adminToken, installationSecret, makeHome, nodeName } from './keys.js'
import type { Log } from './logging.js'
import { Notices } from './notices.js'
import type { Listener } from './reachable.js'
import { Teardown } from './teardown.js'
import { warnOfOtherSecret } from './tokens.js'

export interface NodeOptions {
  readonly configuration: Configuration
  readonly home: Home
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** Told of each listener once it accepts. */
  readonly onListening: (listener: Listener) => void
  /** Wraps each protocol: what it throws outside its promises belongs to its connection. */
  readonly guard?: (protocol: Protocol) => Protocol
}

export interface GatewayNode {
  readonly url: string
  readonly node: string
  readonly listeners: readonly Listener[]
  readonly definitions: KeptDefinitions
  stop(): Promise<void>
}

/** Connections that have not logged in: a quarter of all may be in that state before new ones are turned away. */
const STRANGERS_SHARE = 4

export async function startNode(options: NodeOptions): Promise<GatewayNode> {
  const teardown = new Teardown(options.log)
  try {
    return await build(options, teardown)
  } catch (error) {
    await teardown.run()
    throw error
  }
}

async function build(options: NodeOptions, teardown: Teardown): Promise<GatewayNode> {
  const { configuration, home, env, log } = options
  makeHome(home)
  const lock = lockDirectory(home.directory)
  teardown.add('home', () => lock.release())
  const node = nodeName(home)
  const token = adminToken(home, log)
  const secret = installationSecret(home)
  const tls = gatewayTls(home.tls, certificateNames(configuration), ownCertificate(configuration))

  const connection = await openDatabase(configuration, home, log, teardown)
  const store = await openStore(connection, log)
  teardown.add('store', () => store.close())
  await warnOfOtherSecret(store.tokens, secret, log)
  const recorder = await openRecorder({ home: home.directory, node, startShipper: shipWorker(connection), log })
  teardown.add('recorder', () => recorder.stop())

  const vault = openVault({ home: home.directory, env, baseDirectory: configuration.directory })
  const providers = configuration.identityProviders.length > 0
  const notices = new Notices(store.notices, node, log)
  let gateway: Gateway | undefined
  const definitions: KeptDefinitions = new KeptDefinitions({
    table: store.definitions,
    surroundings: { providers, operatorGroups: configuration.operators.groups },
    inForce: { providers, credentialFor: (source) => vault.credentialFor(source) },
    log,
    onChange: () => cutUngranted(gateway, definitions),
    announce: (revision) => notices.definitionsChanged(revision),
  })
  await definitions.open(configuration.definitions)

  const authenticator = createAuthenticator({
    tokens: store.tokens,
    identities: () => definitions.current.identities,
    providers: configuration.identityProviders,
    secret,
    now: Date.now,
    onFailure: (reason, login) => log('warn', 'login failed', { reason, ...login }),
  })
  let consoleUrl = ''
  const reviews = createReviews({
    table: store.reviews,
    consoleAddress: () => configuration.console.url ?? consoleUrl,
    now: Date.now,
    log,
  })
  teardown.add('reviews', () => reviews.stop())
  const sql = openSqlReader({ onTrouble: (reason) => log('warn', 'a parser thread was lost', { reason }) })
  sql.warm()
  teardown.add('SQL reader', () => sql.stop())

  const salt = secret.toString('hex')
  const protocols: readonly Protocol[] = [postgres({ sql, salt }), http({ targets: () => definitions.current.targets, salt })]
  const guard = options.guard ?? ((protocol: Protocol) => protocol)
  const { loginSeconds, idleMinutes, connections, stopSeconds } = configuration.limits
  const running = createGateway({
    protocols: protocols.map(guard),
    tls,
    authenticator,
    recorder,
    reviews,
    definitions: () => definitions.current,
    log,
    limits: {
      loginMs: loginSeconds * 1000,
      idleMs: idleMinutes * 60_000,
      connections,
      strangers: Math.ceil(connections / STRANGERS_SHARE),
    },
  })
  gateway = running
  teardown.add('gateway', () => running.stop(stopSeconds * 1000))
  await notices.listen({ gateway: running, definitions, tokens: store.tokens })
  teardown.add('notices', () => notices.stop())

  const listeners: Listener[] = []
  for (const listener of configuration.listen) {
    const listening = await running.listen(listener)
    listeners.push(listening)
    options.onListening(listening)
  }
  const startedAt = new Date().toISOString()
  const parts = {
    configuration,
    home: home.directory,
    node,
    startedAt,
    token,
    tls,
    store,
    recorder,
    definitions,
    reviews,
    authenticator,
    sql,
    secret,
    notices,
  }
  const api = createApi(apiParts({ ...parts, gateway: running, protocols, listeners, log }), consoleTls(configuration, home))
  consoleUrl = await api.listen(splitAddress(configuration.console.address))
  teardown.add('console', () => api.stop())
  options.onListening({ protocol: 'console', address: consoleUrl })
  announce(home, { url: reachableUrl(consoleUrl), pid: process.pid })
  teardown.add('announcement', () => withdraw(home))
  return { url: reachableUrl(consoleUrl), node, listeners, definitions, stop: () => teardown.run() }
}

async function openDatabase(configuration: Configuration, home: Home, log: Log, teardown: Teardown): Promise<StoreConnection> {
  if (configuration.database !== 'embedded') return connectionFromUrl(configuration.database)
  const embedded = await startEmbedded({ directory: home.database, log })
  teardown.add('embedded database', () => embedded.stop())
  if (embedded.adopted) log('warn', 'the embedded database was still running: an earlier gateway was killed')
  return embedded.connection
}

/** Those whose grant is gone, and those whose identity is. */
function cutUngranted(gateway: Gateway | undefined, definitions: KeptDefinitions): number {
  const { current } = definitions
  return (
    gateway?.endWhere((session) => {
      const target = current.targets.find(({ name }) => name === session.target.name)
      return target === undefined || !current.granted(session.identity, target)
    }, 'the grant for this target was removed') ?? 0
  )
}

function certificateNames(configuration: Configuration): readonly string[] {
  const addresses = [...configuration.listen.map(({ address }) => address), configuration.console.address]
  const hosts = addresses.map((address) => splitAddress(address).host).filter((host) => host !== '0.0.0.0' && host !== '::')
  const publicHost =
    configuration.console.url === undefined ? [] : [new URL(configuration.console.url).hostname.replace(/^\[|\]$/g, '')]
  return [...new Set([...hosts, ...publicHost, hostname()])].filter((name) => isIP(name) !== 0 || /^[A-Za-z0-9.-]+$/.test(name))
}

function ownCertificate(configuration: Configuration): { certificatePem: string; keyPem: string } | undefined {
  return configuration.tls === undefined
    ? undefined
    : { certificatePem: configuration.tls.certificate, keyPem: configuration.tls.key }
}

/** On loopback the console is plain HTTP; anywhere else tokens would travel in clear, so it is HTTPS unless the operator says otherwise. */
function consoleTls(configuration: Configuration, home: Home): { readonly tls?: { readonly key: string; readonly cert: string } } {
  const { host } = splitAddress(configuration.console.address)
  const loopback = host === 'localhost' || host === '::1' || host.startsWith('127.')
  if (!(configuration.console.tls ?? !loopback)) return {}
  if (configuration.tls !== undefined) return { tls: { key: configuration.tls.key, cert: configuration.tls.certificate } }
  const cert = readFileSync(join(home.tls, 'gateway.crt'), 'utf8') + readFileSync(join(home.tls, 'authority.crt'), 'utf8')
  return { tls: { key: readFileSync(join(home.tls, 'gateway.key'), 'utf8'), cert } }
}

/** Commands of this machine reach a console that listens everywhere by loopback. */
function reachableUrl(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
}
