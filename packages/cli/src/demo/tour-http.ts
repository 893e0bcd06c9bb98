// The part of the tour that speaks HTTP: the same agent at an API, under the same rules.

import type { ReviewRecord } from '@sallyport/core'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GatewayClient } from '../client/gateway-client.js'
import { API, REVIEWER } from './configuration.js'
import { must, StepFailed } from './step.js'

export interface HttpTourParts {
  readonly port: number
  readonly agentToken: string
  readonly reviewer: GatewayClient
  readonly say: (text: string) => void
  readonly pauseMs: number
}

interface Answer {
  readonly status: number
  readonly body: string
}

const reviewWithinMs = 10_000

export async function httpTour(parts: HttpTourParts): Promise<void> {
  await maskedCustomer(parts)
  await deniedDelete(parts)
  await heldRefund(parts)
}

async function ask({ port, agentToken }: HttpTourParts, method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`http://127.0.0.1:${port}/${API}${path}`, {
    method,
    headers: { authorization: `Bearer ${agentToken}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.text()).trim() }
}

async function maskedCustomer(parts: HttpTourParts): Promise<void> {
  parts.say(`   $ curl .../${API}/customers/1`)
  const { status, body } = await ask(parts, 'GET', '/customers/1')
  parts.say(`   ${body}`)
  must(status === 200 && body.includes('Ada Brook'), `a customer was expected, not status ${status}`)
  must(!body.includes('ada@example.test') && !body.includes('7946'), 'an e-mail address or a phone number came through unmasked')
}

async function deniedDelete(parts: HttpTourParts): Promise<void> {
  parts.say(`\n   $ curl -X DELETE .../${API}/customers/1`)
  const { status, body } = await ask(parts, 'DELETE', '/customers/1')
  must(status === 403, `status 403 was expected, not ${status}`)
  const { detail, hint } = JSON.parse(body) as { readonly detail: string; readonly hint: string }
  parts.say(`   403 ${detail} ${hint}`)
  must((await ask(parts, 'GET', '/customers/1')).status === 200, 'the customer is gone')
}

async function heldRefund(parts: HttpTourParts): Promise<void> {
  const { say, reviewer, pauseMs } = parts
  say(`\n   $ curl .../${API}/refunds --json '{"order":7,"amount":52.5}'`)
  const refund = ask(parts, 'POST', '/refunds', { order: 7, amount: 52.5 })
  // Looked at below; until then a refusal must not count as unhandled.
  refund.catch(() => {})
  const review = await openReview(reviewer)
  say(`   (held)\n\n   ${REVIEWER}, elsewhere:  sallyport reviews approve ${review.id} --reason "agreed with the customer"`)
  await sleep(pauseMs)
  await reviewer.call('POST', `/reviews/${review.id}/approve`, { reason: 'agreed with the customer' })
  const { status, body } = await refund
  say(`\n   ${status} ${body}`)
  must(status === 201, `the refund was to go through, not to end with status ${status}`)
}

async function openReview(reviewer: GatewayClient): Promise<ReviewRecord> {
  for (const until = Date.now() + reviewWithinMs; Date.now() < until; await sleep(50)) {
    const open = await reviewer.call<readonly ReviewRecord[]>('GET', '/reviews?state=open')
    const found = open.find(({ text }) => text.startsWith('POST /refunds'))
    if (found !== undefined) return found
  }
  throw new StepFailed('the reviewer does not see the refund')
}
