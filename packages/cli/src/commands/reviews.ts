// Statements that wait for a person: which, what they would do, and the decision.

import type { ReviewRecord, Sent } from '@sallyport/core'
import { openClient } from '../client/gateway-client.js'
import { oneLine, printable } from '../output/printable.js'
import { printTable, shortTime } from '../output/table.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

type Shown = Sent<ReviewRecord>

export async function listCommand(options: { readonly state?: string; readonly json?: true }, terminal: Terminal): Promise<void> {
  const query = options.state === undefined ? '' : `?state=${options.state}`
  const reviews = await openClient(terminal.env).call<readonly Shown[]>('GET', `/reviews${query}`)
  if (options.json === true) return printJson(terminal, reviews)
  await printTable(
    terminal,
    ['id', 'state', 'who', 'target', 'statement', 'until'],
    reviews.map((review) => [
      review.id,
      review.state,
      who(review),
      review.target,
      oneLine(review.text, 60),
      shortTime(review.expiresAt),
    ]),
  )
}

export async function showCommand(id: string, options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const review = await openClient(terminal.env).call<Shown>('GET', `/reviews/${encodeURIComponent(id)}`)
  if (options.json === true) return printJson(terminal, review)
  print(review, terminal)
}

export async function decideCommand(
  kind: 'approve' | 'deny',
  id: string,
  options: { readonly reason: string; readonly json?: true },
  terminal: Terminal,
): Promise<void> {
  const review = await openClient(terminal.env).call<Shown>('POST', `/reviews/${encodeURIComponent(id)}/${kind}`, {
    reason: options.reason,
  })
  if (options.json === true) return printJson(terminal, review)
  terminal.out(`${review.id} is ${review.state}`)
  if (review.state === 'open') terminal.err('more people must agree')
}

export async function watchCommand(options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  for await (const review of openClient(terminal.env).lines<Partial<Shown>>('/reviews/watch')) {
    // A heartbeat has nothing in it.
    if (!isReview(review)) continue
    if (options.json === true) terminal.out(JSON.stringify(review))
    else terminal.out(`${review.state.padEnd(9)} ${review.id}  ${oneLine(`${who(review)} on ${review.target}: ${review.text}`)}`)
  }
}

function isReview(review: Partial<Shown>): review is Shown {
  return review.id !== undefined
}

function who(review: Shown): string {
  return review.onBehalfOf === null ? review.identity : `${review.identity} for ${review.onBehalfOf}`
}

function print(review: Shown, terminal: Terminal): void {
  const lines = [
    `review     ${review.id} (${review.state})`,
    `who        ${who(review)}`,
    `target     ${review.target}`,
    `session    ${review.session}, statement ${review.statement}`,
    `asked      ${shortTime(review.createdAt)}, open until ${shortTime(review.expiresAt)} UTC`,
    ...review.asks.map(({ rule, reason, reviewers }) => {
      const among = [...reviewers.groups.map((group) => `group ${group}`), ...reviewers.names].join(', ')
      return `rule       ${rule}: ${reason} (${reviewers.count} of ${among})`
    }),
    ...review.decisions.map((decision) => `decision   ${decision.reviewer}: ${decision.kind} ${decision.reason}`.trimEnd()),
    ...review.effects.map((effect) => `effect     ${JSON.stringify(effect)}`),
    ...review.parameters.map((value, index) => `$${index + 1}         ${value ?? 'NULL'}`),
    '',
    review.text,
  ]
  terminal.out(printable(lines.join('\n')))
}
