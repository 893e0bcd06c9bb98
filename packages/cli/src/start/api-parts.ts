// What the API asks, answered by the rooms of this node.

import { hkdfSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ApiParts, Status } from '@sallyport/api'
import { publicKeyLine } from '@sallyport/certificates'
import type { Protocol, Secret } from '@sallyport/core'
import type { Gateway } from '@sallyport/gateway'
import type { Authenticator, Logins } from '@sallyport/identity'
import type { LocalRecorder } from '@sallyport/recorder'
import type { Reviews } from '@sallyport/review'
import type { SqlReader } from '@sallyport/sql'
import type { Store } from '@sallyport/store'
import type { Configuration } from '../configuration/load.js'
import { VERSION } from '../version.js'
import { explainer, schemas } from './explain.js'
import type { KeptDefinitions } from './kept-definitions.js'
import type { Log } from './logging.js'
import type { Notices } from './notices.js'
import { reachableTargets, sshHosts } from './reachable.js'
import type { Listener } from './reachable.js'
import { recordFor, verifyFor } from './record.js'
import { certificatesFor } from './ssh-authorities.js'
import type { SshAuthorities } from './ssh-authorities.js'
import { tokensFor } from './tokens.js'

export interface NodeParts {
  readonly configuration: Configuration
  readonly home: string
  readonly node: string
  readonly startedAt: string
  readonly token: Secret
  readonly secret: Uint8Array
  readonly tls: { readonly authorityPem: string }
  readonly sshHostKey: string
  readonly sshAuthorities: SshAuthorities
  readonly store: Store
  readonly recorder: LocalRecorder
  readonly definitions: KeptDefinitions
  readonly reviews: Reviews
  readonly authenticator: Authenticator
  readonly logins: Logins
  readonly consoleAddress: () => string
  readonly sql: SqlReader
  readonly notices: Notices
  readonly gateway: Gateway
  readonly protocols: readonly Protocol[]
  readonly listeners: readonly Listener[]
  readonly log: Log
}

export function apiParts(parts: NodeParts): ApiParts {
  const { configuration, definitions, reviews, authenticator, listeners, store, recorder, protocols, log } = parts
  const publicHost = configuration.console.url === undefined ? undefined : new URL(configuration.console.url).hostname
  const site = builtSite(log)
  const current = (): KeptDefinitions['current'] => definitions.current
  return {
    adminToken: parts.token,
    cookieKey: new Uint8Array(hkdfSync('sha256', parts.secret, '', 'sallyport console cookies', 32)),
    ...(site === undefined ? {} : { site }),
    authorityPem: parts.tls.authorityPem,
    sshHostKey: parts.sshHostKey,
    sshAuthority: { publicKey: publicKeyLine(parts.sshAuthorities.hosts.publicKey), hosts: sshHosts(listeners, publicHost) },
    sshCertificate: certificatesFor(parts.sshAuthorities.users, store.tokens),
    hosts: publicHost === undefined ? [] : [publicHost],
    operators: () => configuration.operators,
    prove: (shown, client) => authenticator.prove({ user: '', proof: { kind: 'token', token: shown }, ...client }),
    logins: parts.logins,
    consoleAddress: parts.consoleAddress,
    healthy: async () => recorder.status.failure === undefined && (await store.healthy()),
    status: () => statusOf(parts),
    reachable: (identity) => reachableTargets(current(), listeners, publicHost, identity),
    sessions: sessionsFor(parts),
    reviews: {
      list: (filter) => reviews.list(filter),
      get: (id) => reviews.get(id),
      decide: (id, who, kind, reason) => reviews.decide(id, who, kind, reason),
      onChange: (listener) => store.reviews.onChange(listener),
    },
    tokens: accessTokensFor(parts),
    definitions: {
      read: async () => ({ revision: current().revision, definitions: current().written }),
      apply: (value, options) => definitions.apply(value, options),
    },
    explain: explainer({ current, protocols, log }),
    schema: schemas({ current, protocols, log }),
    verify: verifyFor({ store, recorder, log, home: parts.home }),
    log,
  }
}

/** Where the console's pages were built; a checkout that only compiled its TypeScript has none, and works without. */
function builtSite(log: Log): string | undefined {
  const page = fileURLToPath(import.meta.resolve('@sallyport/console/site/index.html'))
  if (existsSync(page)) return dirname(page)
  log('warn', 'the console was not built, so only the API is served; run `npm run build`', { expected: page })
  return undefined
}

async function statusOf(parts: NodeParts): Promise<Status> {
  return {
    version: VERSION,
    node: parts.node,
    startedAt: parts.startedAt,
    listeners: parts.listeners,
    liveSessions: parts.gateway.live().length,
    revision: parts.definitions.current.revision,
    database: { kind: parts.configuration.database === 'embedded' ? 'embedded' : 'url', healthy: await parts.store.healthy() },
    recorder: parts.recorder.status,
  }
}

function sessionsFor({ store, recorder, protocols, gateway, notices, log }: NodeParts): ApiParts['sessions'] {
  return recordFor({
    store,
    recorder,
    protocols,
    log,
    end: async (id, reason) => {
      if (!gateway.end(id, reason)) await notices.sessionEnds(id, reason)
    },
  })
}

function accessTokensFor({ store, definitions, configuration, secret, gateway, notices, log }: NodeParts): ApiParts['tokens'] {
  return tokensFor({
    table: store.tokens,
    current: () => definitions.current,
    providers: configuration.identityProviders.length > 0,
    secret,
    onRevoked: async (id) => {
      gateway.endWhere((session) => session.tokenId === id, 'the access token was revoked')
      // Other nodes look for themselves now and then; a notice that cannot be sent is not a revocation that failed.
      await notices.tokenRevoked(id).catch((error: unknown) => log('warn', 'other nodes could not be told yet', { error }))
    },
  })
}
