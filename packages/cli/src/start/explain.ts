// What the rules say of a statement that nobody has sent: understood by the target's real catalogue where the target answers.

import { connect } from 'node:net'
import { once } from 'node:events'
import type { Explained } from '@sallyport/api'
import { Denied, Misconfigured, Unreachable } from '@sallyport/core'
import type { Identity, Protocol, Statement, Target, Understood, Upstream, Verdict } from '@sallyport/core'
import { splitAddress } from '@sallyport/gateway'
import type { InForce } from './in-force.js'
import type { Log } from './logging.js'

/** A person waits for the answer. */
const CATALOGUE_WITHIN_MS = 10_000

export interface ExplainParts {
  readonly protocols: readonly Protocol[]
  readonly current: () => InForce
  readonly log: Log
}

export interface Question {
  readonly identity: string
  readonly target: string
  readonly statement: string
}

/** What there is at a target, asked of it now. */
export function schemas(parts: ExplainParts): (name: string) => Promise<object> {
  return async (name) => {
    const current = parts.current()
    const target = current.targets.find((each) => each.name === name)
    if (target === undefined) throw new Denied('not-found', `there is no target ${name}`)
    const protocol = parts.protocols.find((each) => each.name === target.protocol)
    if (protocol?.schema === undefined)
      throw new Misconfigured('no-schema', `targets of ${target.protocol} have no names of their own; rules there need no schema`)
    const signal = AbortSignal.timeout(CATALOGUE_WITHIN_MS)
    const text = await protocol.schema({ target, signal, dial: () => dial(target, current, signal) })
    const catalogue: unknown = JSON.parse(text)
    return { target: name, protocol: target.protocol, at: new Date().toISOString(), catalogue }
  }
}

export function explainer(parts: ExplainParts): (question: Question) => Promise<Explained> {
  return async (question) => {
    const current = parts.current()
    const target = current.targets.find(({ name }) => name === question.target)
    if (target === undefined) throw new Misconfigured('unknown-target', `there is no target ${question.target}`)
    const identity = current.identities.find(({ name }) => name === question.identity)
    if (identity === undefined) throw new Misconfigured('unknown-identity', `there is no identity ${question.identity}`)
    const protocol = parts.protocols.find(({ name }) => name === target.protocol)
    if (protocol === undefined) throw new Misconfigured('unknown-protocol', `this gateway does not speak ${target.protocol}`)
    const signal = AbortSignal.timeout(CATALOGUE_WITHIN_MS)
    const understood = await protocol.understand(question.statement, { target, signal, dial: () => dial(target, current, signal) })
    if (!understood.namesKnown)
      parts.log('warn', 'a statement is explained without the names of its target', { target: target.name })
    const { name, kind, groups } = identity
    return explanationOf(current, { id: name, name, kind, groups }, target, understood)
  }
}

/** The verdict and every rule's reasons for what a statement was understood to do. */
export async function explanationOf(
  current: InForce,
  identity: Identity,
  target: Target,
  understood: Understood,
): Promise<Explained> {
  const { kind = 'query', text, effects, refusal, namesKnown, trace } = understood
  const statement: Statement = { id: 1, kind, text, parameters: [], effects, held: true }
  const { verdict, rules } = current.policy.explain(identity, target, statement, { nowMs: Date.now() })
  const refused = { kind: 'deny', cause: 'not-understood', rule: null, reason: refusal ?? '' } as const
  return {
    granted: current.granted(identity, target),
    verdict: refusal === undefined ? (namesKnown ? await applicable(verdict, trace) : verdict) : refused,
    effects,
    catalogue: namesKnown,
    rules,
  }
}

/** A mask that cannot be applied to this statement becomes a denial, as it would in a session. */
async function applicable(verdict: Verdict, trace: Understood['trace']): Promise<Verdict> {
  const allowed = verdict.kind === 'review' ? verdict.then : verdict
  if (allowed.kind !== 'mask') return verdict
  const traced = await trace(allowed.masks)
  if (traced.kind === 'traced') return verdict
  return { kind: 'deny', cause: 'not-maskable', rule: allowed.rule, reason: `the masks cannot be applied here: ${traced.reason}` }
}

async function dial(target: Target, current: InForce, signal: AbortSignal): Promise<Upstream> {
  const credential = await current.credentialFor(target)
  const { host, port } = splitAddress(target.address)
  const stream = connect({ host, port, noDelay: true, signal })
  try {
    await once(stream, 'connect', { signal })
  } catch (cause) {
    throw new Unreachable('target-unreachable', `target ${target.name} cannot be reached`, { cause })
  }
  return { stream, host, port, database: target.database, credential }
}
