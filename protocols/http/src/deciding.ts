// May it: the rules are asked, and where people must be, the request is held for as long as its caller has patience.

import { createHash } from 'node:crypto'
import { holdsStandIn, writesStandIn } from '@sallyport/core'
import type { Asking, Mask, Ruling, Settled, Statement, Traced } from '@sallyport/core'
import { describedHeaders } from './describing.js'
import { waitingDenial } from './holding.js'
import type { Held } from './holding.js'
import type { Fields } from './message.js'
import type { Body } from './request-body.js'
import type { Route } from './routing.js'
import type { Place } from './sessions.js'
import { statementOf } from './understand.js'
import type { Understood } from './understand.js'

/** What is asked about. */
export interface Deciding {
  readonly place: Place
  readonly method: string
  readonly route: Route
  readonly fields: Fields
  /** Aborted when the caller is gone. */
  readonly gone: AbortSignal
}

export interface Decided {
  readonly statement: number
  readonly ruling: Ruling
  readonly more?: Readonly<Record<string, string>>
}

export async function decide(exchange: Deciding, understood: Understood, body: Body): Promise<Decided> {
  const { place } = exchange
  const before = place.held.waiting ? claimed(exchange, body) : undefined
  if (before !== undefined) return await resume(exchange, understood, body, before)
  const statement = statementOf(place.nextStatement(), understood)
  let unseen: AbortController | undefined
  let held: Held | undefined
  const settled = place.session.judge(statement, {
    ...askingOf(statement, understood, body),
    /** Few requests wait for people; the others need none. */
    get signal() {
      return (unseen ??= new AbortController()).signal
    },
    onWait: ({ review, address }) => {
      // Nobody can agree to what is not there yet, and what waits must have a place to wait in.
      if (body.seen === 'unseen' || place.held.full) unseen?.abort()
      else queueMicrotask(() => held !== undefined && Object.assign(held, { review, address }))
    },
  })
  if (!(settled instanceof Promise)) return { statement: statement.id, ruling: hinted(settled, understood) }
  const binding = bindingOf(exchange, body)
  if (binding === undefined) return { statement: statement.id, ruling: unheld(await settled) }
  held = place.held.add(statement.id, binding, settled)
  return await waited(exchange, held)
}

function claimed(exchange: Deciding, body: Body): Held | undefined {
  const binding = bindingOf(exchange, body)
  return binding === undefined ? undefined : exchange.place.held.claim(binding)
}

/** What is asked the first time and when an approved request comes again. */
function askingOf(statement: Statement, understood: Understood, body: Body): Asking {
  const refusal = understood.breaks ?? writtenBack(statement, understood, body)
  return {
    trace: (masks) => traced(masks, understood),
    ...(refusal === undefined ? {} : { refusal }),
    ...(understood.needsRule === undefined ? {} : { needsRule: understood.needsRule }),
  }
}

/** The same request again, after its caller's patience had run out. */
async function resume(exchange: Deciding, understood: Understood, body: Body, held: Held): Promise<Decided> {
  const decided = await waited(exchange, held)
  if (decided.ruling.kind === 'deny') return decided
  const { session } = exchange.place
  const statement = statementOf(held.statement, understood)
  const asking: Asking = { ...askingOf(statement, understood, body), phase: 'prepare' }
  // The rules, or the target's description, may have changed since people agreed.
  const now = await session.judge(statement, asking)
  if (now.kind === 'deny') return { statement: held.statement, ruling: hinted(now, understood) }
  if (masksOf(now) === masksOf(decided.ruling)) return decided
  // Asked as a refusal, so that it is on record.
  const changed = await session.judge(statement, { ...asking, refusal: 'other masks apply to this than when people agreed to it' })
  const ruling = changed.kind === 'deny' ? { ...changed, hint: 'Send it again: it is asked anew.' } : changed
  return { statement: held.statement, ruling }
}

function masksOf(ruling: Ruling): string {
  const masks = ruling.kind === 'mask' ? ruling.masks.map((mask) => JSON.stringify([mask.column, mask.with])) : []
  return masks.toSorted().join('\n')
}

async function waited({ place, gone }: Deciding, held: Held): Promise<Decided> {
  const patienceMs = place.session.target.http?.patienceMs ?? 0
  const found = await place.held.wait(held, patienceMs, gone)
  if (found.kind === 'ruled') return { statement: held.statement, ruling: found.ruling }
  return { statement: held.statement, ruling: waitingDenial(held), more: { 'retry-after': '15' } }
}

function hinted(ruling: Ruling, { breaks }: Understood): Ruling {
  if (ruling.kind !== 'deny' || breaks === undefined) return ruling
  return { ...ruling, hint: "Send it as the target's OpenAPI description says." }
}

function unheld(ruling: Ruling): Ruling {
  if (ruling.kind !== 'deny' || ruling.cause !== 'review-withdrawn') return ruling
  return {
    ...ruling,
    cause: 'not-understood',
    reason: 'a person must agree to this, and its body is too long to be shown to one',
    hint: 'Send a shorter body.',
  }
}

const bound = /^(?:content-|accept$|x-http-method|x-method-override|if-|range$|prefer$)/

/** All of a request that a person agrees to; undefined where not all of it is known. */
function bindingOf({ method, route, fields, place }: Deciding, body: Body): string | undefined {
  if (body.seen === 'unseen') return undefined
  const described = describedHeaders(place.session.target)
  const about = fields.filter(([name]) => described.has(name) || bound.test(name))
  const hash = createHash('sha256').update(JSON.stringify([method, route.path, about]))
  return (body.seen === 'absent' ? hash : hash.update(body.seen)).digest('hex')
}

export function traced(masks: readonly Mask[], understood: Understood): Settled<Traced> {
  if (understood.kind === 'tunnel') return { kind: 'untraceable', reason: 'what goes through a tunnel is not seen' }
  const byField = masks.some((mask) => !mask.column.startsWith('@'))
  const { renames } = understood.facts
  return byField && renames !== undefined
    ? { kind: 'untraceable', reason: `${renames}, so that it cannot be found in the answer` }
    : { kind: 'traced' }
}

/** A stand-in for a masked value must not come back as if it were the value. */
function writtenBack(statement: Statement, understood: Understood, body: Body): string | undefined {
  if (understood.effects.every((effect) => effect.access === 'read') || !Buffer.isBuffer(body.seen)) return undefined
  const held = holdsStandIn(body.seen.toString('latin1')) || holdsStandIn(statement.text)
  return held ? writesStandIn : undefined
}
