// What the API asks, answered by the rooms of this node.

import type { ApiParts } from '@sallyport/api'

import type { Protocol, Secret } from '@sallyport/core'
import type { Gateway } from '@sallyport/gateway'
import type { Authenticator } from '@sallyport/identity'
import type { LocalRecorder } from '@sallyport/recorder'
import type { Reviews } from '@sallyport/review'
import type { SqlReader } from '@sallyport/sql'
import type { Store } from '@sallyport/store'
import type { Configuration } from '../configuration/load.js'
import { VERSION } from '../version.js'
import { explainer } from './explain.js'
import type { KeptDefinitions } from './kept-definitions.js'
import type { Log } from './logging.js'
import type { Notices } from './notices.js'
import { reachableTargets } from './reachable.js'
import type { Listener } from './reachable.js'
import { recordFor, verifyFor } from './record.js'
import { tokensFor } from './tokens.js'

export interface NodeParts {
  readonly configuration: Configuration
  readonly home: string
  readonly node: string
  readonly startedAt: string
  readonly token: Secret
  readonly secret: Uint8Array
  readonly tls: { readonly authorityPem: string }
  readonly store: Store
  readonly recorder: LocalRecorder
  readonly definitions: KeptDefinitions
  readonly reviews: Reviews
  readonly authenticator: Authenticator
  readonly sql: SqlReader
  readonly notices: Notices
  readonly gateway: Gateway
  readonly protocols: readonly Protocol[]
  readonly listeners: readonly Listener[]
  readonly log: Log
}

export function apiParts(parts: NodeParts): ApiParts {
  const { configuration, store, recorder, definitions, reviews, authenticator, notices, gateway, protocols, listeners, sql, log } =
    parts
  const current = (): KeptDefinitions['current'] => definitions.current
  const publicHost = configuration.console.url === undefined ? undefined : new URL(configuration.console.url).hostname
  const providers = configuration.identityProviders.length > 0
  const told = async (sent: Promise<void>): Promise<void> =>
    sent.catch((error: unknown) => log('warn', 'other nodes could not be told yet', { error }))
  return {
    adminToken: parts.token,
    authorityPem: parts.tls.authorityPem,
    hosts: publicHost === undefined ? [] : [publicHost],
    operatorGroups: () => configuration.operators.groups,
    prove: (shown, client) => authenticator.prove({ user: '', proof: { kind: 'token', token: shown }, ...client }),
    healthy: async () => recorder.status.failure === undefined && (await store.healthy()),
    status: async () => ({
      version: VERSION,
      node: parts.node,
      startedAt: parts.startedAt,
      listeners,
      liveSessions: gateway.live().length,
      revision: definitions.current.revision,
      database: { kind: configuration.database === 'embedded' ? 'embedded' : 'url', healthy: await store.healthy() },
      recorder: recorder.status,
    }),
    reachable: (identity) => reachableTargets(definitions.current, listeners, publicHost, identity),
    sessions: recordFor({
      store,
      recorder,
      protocols,
      log,
      end: async (id, reason) => {
        if (!gateway.end(id, reason)) await notices.sessionEnds(id, reason)
      },
    }),
    reviews: {
      list: (filter) => reviews.list(filter),
      get: (id) => reviews.get(id),
      decide: (...decision) => reviews.decide(...decision),
      onChange: (listener) => store.reviews.onChange(listener),
    },
    tokens: tokensFor({
      table: store.tokens,
      current,
      providers,
      secret: parts.secret,
      onRevoked: async (id) => {
        gateway.endWhere((session) => session.tokenId === id, 'the access token was revoked')
        await told(notices.tokenRevoked(id))
      },
    }),
    definitions: {
      read: async () => ({ revision: definitions.current.revision, definitions: definitions.current.written }),
      apply: (value, options) => definitions.apply(value, options),
    },
    explain: explainer({ current, sql, protocols, log }),
    verify: verifyFor({ store, recorder, log, home: parts.home }),
    log,
  }
}
