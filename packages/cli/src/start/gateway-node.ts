// One gateway node, built in the order in which it must be: home, database, store, recorder, vault, identity, policy, reviews,
// listeners, API. What was built is taken down in the opposite order, also where building stops half way.

import { hkdfSync } from 'node:crypto'
import { join } from 'node:path'
import { createApi } from '@sallyport/api'
import type { Protocol, Secret } from '@sallyport/core'
import { createGateway, splitAddress } from '@sallyport/gateway'
import type { Gateway, KeptTls } from '@sallyport/gateway'
import { createAuthenticator } from '@sallyport/identity'
import type { KnownIdentity } from '@sallyport/identity'
import { openRecorder } from '@sallyport/recorder'
import type { LocalRecorder } from '@sallyport/recorder'
import { createReviews } from '@sallyport/review'
import { openMysqlReader, openSqlReader } from '@sallyport/sql'
import { openHostKey } from '@sallyport/ssh'
import { connectionFromUrl, lockDirectory, openStore, startEmbedded } from '@sallyport/store'
import type { Store, StoreConnection } from '@sallyport/store'
import { openVault } from '@sallyport/vault'
import type { Vault } from '@sallyport/vault'
import type { Configuration } from '../configuration/load.js'
import { announce, withdraw } from '../home.js'
import type { Home } from '../home.js'
import { shipWorker } from '../ship-worker.js'
import { apiParts } from './api-parts.js'
import { consoleTls, listenersTls } from './certificates.js'
import { KeptDefinitions } from './kept-definitions.js'
import { adminToken, installationSecret, makeHome, nodeName } from './keys.js'
import type { Log } from './logging.js'
import { loginsFor } from './logins.js'
import { Notices } from './notices.js'
import { allProtocols } from './protocols.js'
import type { Listener } from './reachable.js'
import { hostCertificate, sshAuthorities } from './ssh-authorities.js'
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
  readonly definitions: KeptDefinitions
  stop(): Promise<void>
}

interface Building extends NodeOptions {
  readonly teardown: Teardown
}

interface Ground {
  readonly node: string
  readonly token: Secret
  readonly secret: Buffer
  readonly tls: KeptTls
  readonly store: Store
  readonly recorder: LocalRecorder
  readonly vault: Vault
}

interface Rules {
  readonly definitions: KeptDefinitions
  readonly notices: Notices
  /** Whom to cut sessions of when definitions change; nobody before there is a gateway. */
  readonly attach: (gateway: Gateway) => void
}

/** Connections that have not logged in: a quarter of all may be in that state before new ones are turned away. */
const STRANGERS_SHARE = 4

export async function startNode(options: NodeOptions): Promise<GatewayNode> {
  const teardown = new Teardown(options.log)
  try {
    return await build({ ...options, teardown })
  } catch (error) {
    await teardown.run()
    throw error
  }
}

async function build(building: Building): Promise<GatewayNode> {
  const { configuration, home, log, teardown } = building
  const ground = await openGround(building)
  const rules = await openRules(building, ground)
  const authorities = sshAuthorities(ground.secret)
  const authenticator = createAuthenticator({
    tokens: ground.store.tokens,
    identities: () => rules.definitions.current.identities,
    providers: configuration.identityProviders,
    certificates: { own: authorities.users.publicKey, others: configuration.sshAuthorities },
    secret: ground.secret,
    now: Date.now,
    onFailure: (reason, login) => log('warn', 'login failed', { reason, ...login }),
  })
  let consoleUrl = configuration.console.url ?? ''
  const consoleAddress = (): string => consoleUrl.replace(/\/$/, '')
  const identities = (): readonly KnownIdentity[] => rules.definitions.current.identities
  const logins = loginsFor({ ...ground, configuration, log, consoleAddress, identities })
  const reviews = createReviews({ table: ground.store.reviews, consoleAddress: () => consoleUrl, now: Date.now, log })
  teardown.add('reviews', () => reviews.stop())
  const sql = openSqlReader({ onTrouble: (reason) => log('warn', 'a parser thread was lost', { reason }) })
  teardown.add('SQL reader', () => sql.stop())
  sql.warm()
  const mysqlReader = openMysqlReader((reason) => log('warn', 'a parser thread was lost', { reason }))
  teardown.add('MySQL reader', () => mysqlReader.stop())

  const hostKey = openHostKey(join(home.directory, 'keys'))
  // Of its own, since targets see it in what they run: neither their logs nor anything else tells the key of the installation.
  const salt = Buffer.from(hkdfSync('sha256', ground.secret, '', 'sallyport hash masks', 32)).toString('hex')
  const protocols = allProtocols({
    sql,
    salt,
    targets: () => rules.definitions.current.targets,
    mysql: { sql: mysqlReader, serverVersion: configuration.mysql.serverVersion },
    ssh: { hostKey, hostCertificate: hostCertificate(authorities.hosts, hostKey.publicKey), logins },
    toolMemory: ground.store.tools,
  })
  const gateway = openGateway(building, ground, { protocols, authenticator, reviews, definitions: () => rules.definitions.current })
  rules.attach(gateway)
  void withdrawLeft(ground, log)
  await rules.notices.listen({ gateway, definitions: rules.definitions, tokens: ground.store.tokens })
  teardown.add('notices', () => rules.notices.stop())

  const listeners = await listenAll(building, gateway)
  const startedAt = new Date().toISOString()
  const parts = {
    ...ground,
    ...rules,
    authenticator,
    logins,
    consoleAddress,
    reviews,
    sql,
    protocols,
    gateway,
    listeners,
    log,
    startedAt,
    sshHostKey: hostKey.publicKey,
    sshAuthorities: authorities,
  }
  const url = await openConsole(building, apiParts({ ...parts, configuration, home: home.directory }))
  if (configuration.console.url === undefined) consoleUrl = url
  return { url, definitions: rules.definitions, stop: () => teardown.run() }
}

/** An answer to what a killed gateway had asked would reach nobody, and its reviewer would think that it ran. */
async function withdrawLeft({ store, recorder }: Ground, log: Log): Promise<void> {
  try {
    await recorder.shipped()
    const reviews = await store.reviews.withdrawLeft(new Date())
    if (reviews > 0) log('info', 'reviews of sessions that are over were withdrawn', { reviews })
  } catch (error) {
    log('warn', 'reviews that an earlier gateway left stay open until their time is over', { error })
  }
}

async function openGround(building: Building): Promise<Ground> {
  const { configuration, home, env, log, teardown } = building
  makeHome(home)
  const lock = lockDirectory(home.directory)
  teardown.add('home', () => lock.release())
  const node = nodeName(home)
  const token = adminToken(home, log)
  const secret = installationSecret(home)
  const tls = listenersTls(configuration, home)
  const connection = await openDatabase(building)
  const store = await openStore(connection, log)
  teardown.add('store', () => store.close())
  await warnOfOtherSecret(store.tokens, secret, log)
  const recorder = await openRecorder({ home: home.directory, node, startShipper: shipWorker(connection), log })
  teardown.add('recorder', () => recorder.stop())
  const vault = openVault({ home: home.directory, env, baseDirectory: configuration.directory })
  return { node, token, secret, tls, store, recorder, vault }
}

async function openDatabase({ configuration, home, log, teardown }: Building): Promise<StoreConnection> {
  if (configuration.database !== 'embedded') return connectionFromUrl(configuration.database)
  const embedded = await startEmbedded({ directory: home.database, log })
  teardown.add('embedded database', () => embedded.stop())
  if (embedded.adopted) log('warn', 'the embedded database was still running: an earlier gateway was killed')
  return embedded.connection
}

async function openRules({ configuration, log }: Building, { node, store, vault }: Ground): Promise<Rules> {
  const providers = configuration.identityProviders.length > 0
  const notices = new Notices(store.notices, node, log)
  let gateway: Gateway | undefined
  const definitions: KeptDefinitions = new KeptDefinitions({
    table: store.definitions,
    surroundings: { providers, operators: configuration.operators },
    inForce: { providers, credentialFor: (source) => vault.credentialFor(source) },
    log,
    onChange: () => gateway?.definitionsChanged() ?? 0,
    announce: (revision) => notices.definitionsChanged(revision),
  })
  await definitions.open(configuration.definitions)
  return { definitions, notices, attach: (running) => (gateway = running) }
}

type GatewayParts = Parameters<typeof createGateway>[0]

function openGateway(
  { configuration, guard, log, teardown }: Building,
  { tls, recorder }: Ground,
  parts: Pick<GatewayParts, 'protocols' | 'authenticator' | 'reviews' | 'definitions'>,
): Gateway {
  const { loginSeconds, idleMinutes, connections, stopSeconds } = configuration.limits
  const gateway = createGateway({
    ...parts,
    protocols: guard === undefined ? parts.protocols : parts.protocols.map(guard),
    tls,
    recorder,
    log,
    limits: {
      loginMs: loginSeconds * 1000,
      idleMs: idleMinutes * 60_000,
      connections,
      strangers: Math.ceil(connections / STRANGERS_SHARE),
    },
  })
  teardown.add('gateway', () => gateway.stop(stopSeconds * 1000))
  return gateway
}

async function listenAll({ configuration, onListening }: Building, gateway: Gateway): Promise<readonly Listener[]> {
  const listeners: Listener[] = []
  for (const listener of configuration.listen) {
    const listening = await gateway.listen(listener)
    listeners.push(listening)
    onListening(listening)
  }
  return listeners
}

/** Answers where commands of this machine reach it. */
async function openConsole(building: Building, parts: ReturnType<typeof apiParts>): Promise<string> {
  const { configuration, home, onListening, teardown } = building
  const api = createApi(parts, consoleTls(configuration, home))
  const address = await api.listen(splitAddress(configuration.console.address))
  teardown.add('console', () => api.stop())
  onListening({ protocol: 'console', address })
  // One that listens everywhere is reached by loopback.
  const url = address.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
  announce(home, { url, pid: process.pid })
  teardown.add('announcement', () => withdraw(home))
  return url
}
