// What the rules say of a statement that nobody has sent: understood by the target's real catalogue where the target answers.

import { connect } from 'node:net'
import { once } from 'node:events'
import type { Explained } from '@sallyport/api'
import { Misconfigured } from '@sallyport/core'
import type { Identity, Protocol, Session, Settled, Statement, Target, Upstream } from '@sallyport/core'
import { splitAddress } from '@sallyport/gateway'
import type { SqlContext, SqlReader } from '@sallyport/sql'
import type { InForce } from './in-force.js'
import type { Log } from './logging.js'

/** A person waits for the answer. */
const CATALOGUE_WITHIN_MS = 10_000

/** What a SQL protocol tells of a target's names, beside what every protocol has. */
interface CatalogueSource {
  catalogueOf(reach: Pick<Session, 'target' | 'signal' | 'dial'>): Settled<{
    /** What it was registered under with the SQL reader. */
    readonly id: string
    readonly content: { readonly schemas: readonly string[] }
  }>
}

export interface ExplainParts {
  readonly protocols: readonly Protocol[]
  readonly current: () => InForce
  readonly sql: SqlReader
  readonly log: Log
}

export interface Question {
  readonly identity: string
  readonly target: string
  readonly statement: string
}

export function explainer(parts: ExplainParts): (question: Question) => Promise<Explained> {
  return async (question) => {
    const current = parts.current()
    const target = current.targets.find(({ name }) => name === question.target)
    if (target === undefined) throw new Misconfigured('unknown-target', `there is no target ${question.target}`)
    const identity = current.identities.find(({ name }) => name === question.identity)
    if (identity === undefined) throw new Misconfigured('unknown-identity', `there is no identity ${question.identity}`)
    const context = await contextFor(target, current, parts)
    const understanding = await parts.sql.understand(question.statement, context)
    const { name, kind, groups } = identity
    return explanationOf(current, { id: name, name, kind, groups }, target, { ...understanding, catalogue: context.catalog !== '' })
  }
}

/** The verdict and every rule's reasons for what a statement was understood to do. */
export function explanationOf(
  current: InForce,
  identity: Identity,
  target: Target,
  understood: Pick<Statement, 'text' | 'effects'> & { readonly refusal?: string; readonly catalogue: boolean },
): Explained {
  const { text, effects, refusal, catalogue } = understood
  const statement: Statement = { id: 1, kind: 'query', text, parameters: [], effects, held: true }
  const { verdict, rules } = current.policy.explain(identity, target, statement, { nowMs: Date.now() })
  const refused = { kind: 'deny', cause: 'not-understood', rule: null, reason: refusal ?? '' } as const
  return {
    granted: current.granted(identity, target),
    verdict: refusal === undefined ? verdict : refused,
    effects,
    catalogue,
    rules,
  }
}

async function contextFor(target: Target, current: InForce, { protocols, log }: ExplainParts): Promise<SqlContext> {
  const trustedFunctions = target.trust.functions
  const unread = { catalog: '', schemas: ['public'], trustedFunctions }
  const protocol = protocols.find(({ name }) => name === target.protocol)
  if (protocol === undefined || !readsCatalogues(protocol)) return unread
  try {
    const signal = AbortSignal.timeout(CATALOGUE_WITHIN_MS)
    const found = await protocol.catalogueOf({ target, signal, dial: () => dial(target, current, signal) })
    return { catalog: found.id, schemas: found.content.schemas, trustedFunctions }
  } catch (error) {
    log('warn', 'a statement is explained without the catalogue of its target', { target: target.name, error })
    return unread
  }
}

function readsCatalogues(protocol: Protocol): protocol is Protocol & CatalogueSource {
  return 'catalogueOf' in protocol && typeof protocol.catalogueOf === 'function'
}

async function dial(target: Target, current: InForce, signal: AbortSignal): Promise<Upstream> {
  const credential = await current.credentialFor(target)
  const { host, port } = splitAddress(target.address)
  const stream = connect({ host, port, noDelay: true, signal })
  await once(stream, 'connect', { signal })
  return { stream, host, port, database: target.database, credential }
}
