// Questions to people: which I may answer or asked, what they are about, and my answer.

import type { ReviewRecord } from '@sallyport/core'
import { z } from 'zod'
import { isAsked, isOwn } from '../caller.js'
import type { Caller } from '../caller.js'
import type { ApiParts } from '../ports.js'
import { notFound } from '../problem.js'
import { nothing, route } from '../route.js'
import type { Route } from '../route.js'

const id = z.strictObject({ id: z.string().min(1).max(128) })
const listQuery = z.strictObject({
  state: z.enum(['open', 'approved', 'denied', 'expired', 'withdrawn']).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})
const decision = z.strictObject({ reason: z.string().max(1000).default('') })

/** A watcher that reads too slowly loses the oldest changes; it sees their outcome with the next list. */
const MAX_WAITING_CHANGES = 1000
/** Proxies and sockets give up on a silent answer after a minute or so. */
const HEARTBEAT_MS = 15_000

export const reviewRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/reviews',
    may: 'proved',
    input: z.object({ query: listQuery }),
    answer: async ({ caller, query: { state, limit } }, parts) => {
      const found = await parts.reviews.list({ limit, ...(state === undefined ? {} : { state }) })
      return found.filter((review) => mayRead(caller, review))
    },
  }),
  route({
    method: 'GET',
    path: '/reviews/watch',
    may: 'proved',
    input: nothing,
    answer: async ({ caller, signal }, parts) => ({ lines: changes(caller, parts, signal) }),
  }),
  route({
    method: 'GET',
    path: '/reviews/:id',
    may: 'proved',
    input: z.object({ params: id }),
    answer: ({ caller, params }, parts) => readable(caller, params.id, parts),
  }),
  ...(['approve', 'deny'] as const).map((kind) =>
    route({
      method: 'POST',
      path: `/reviews/:id/${kind}`,
      may: 'proved',
      input: z.object({ params: id, body: decision }),
      answer: async ({ caller, params, body }, parts) => {
        const review = await readable(caller, params.id, parts)
        const decided = await parts.reviews.decide(review.id, reviewer(caller), kind, body.reason)
        parts.log('info', 'review decided', { review: review.id, by: caller.name, kind })
        return decided
      },
    }),
  ),
]

function reviewer(caller: Caller): Parameters<ApiParts['reviews']['decide']>[1] {
  if (caller.kind === 'admin') return { name: caller.name, groups: [], admin: true }
  const { name, groups, onBehalfOf } = caller.identity
  return { name, groups, admin: false, ...(onBehalfOf === undefined ? {} : { onBehalfOf }) }
}

function mayRead(caller: Caller, review: ReviewRecord): boolean {
  return isAsked(caller, review) || isOwn(caller, review)
}

async function readable(caller: Caller, reviewId: string, parts: ApiParts): Promise<ReviewRecord> {
  const review = await parts.reviews.get(reviewId)
  if (review === undefined || !mayRead(caller, review)) throw notFound('review', reviewId)
  return review
}

/** The open reviews first, and `{}` after the last of them; then each review whenever it changes, and `{}` to keep the connection. */
async function* changes(caller: Caller, parts: ApiParts, signal: AbortSignal): AsyncGenerator {
  const waiting = new Set<string>()
  let wake: () => void = () => {}
  const stopListening = parts.reviews.onChange((reviewId) => {
    waiting.delete(reviewId)
    if (waiting.size >= MAX_WAITING_CHANGES) waiting.delete([...waiting][0] ?? '')
    waiting.add(reviewId)
    wake()
  })
  signal.addEventListener('abort', () => wake(), { once: true })
  try {
    for (const review of await parts.reviews.list({ state: 'open', limit: 1000 })) if (mayRead(caller, review)) yield review
    yield {}
    while (!signal.aborted) {
      for (const reviewId of waiting) {
        waiting.delete(reviewId)
        const review = await parts.reviews.get(reviewId)
        if (review !== undefined && mayRead(caller, review)) yield review
      }
      if (waiting.size > 0 || signal.aborted) continue
      const woken = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), HEARTBEAT_MS)
        wake = () => {
          clearTimeout(timer)
          resolve(true)
        }
      })
      if (!woken) yield {}
    }
  } finally {
    stopListening()
  }
}
