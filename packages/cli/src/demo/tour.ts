// The tour: an agent at work, seen from both sides, through the same sockets and the same API that everyone uses.

import type { Line, ReviewRecord, SessionSummary } from '@sallyport/core'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Verified } from '@sallyport/api'
import { secret } from '@sallyport/core'
import { Client, DatabaseError } from 'pg'
import type { QueryResult } from 'pg'
import { openClient } from '../client/gateway-client.js'
import type { GatewayClient } from '../client/gateway-client.js'
import { asText } from '../commands/replay.js'
import { oneLine } from '../output/printable.js'
import { AGENT, REVIEWER, TARGET } from './configuration.js'
import type { DemoPorts } from './configuration.js'
import { must, StepFailed, stepWithinMs, withinTime } from './step.js'
import { httpTour } from './tour-http.js'
import { sshTour } from './tour-ssh.js'

export interface TourParts {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly ports: DemoPorts
  readonly say: (text: string) => void
  /** Milliseconds to let a person read; 0 where none watches. */
  readonly pauseMs: number
}

export interface Toured {
  readonly session: string
  readonly agentToken: string
  readonly reviewerToken: string
}

export async function tour(parts: TourParts): Promise<Toured> {
  const admin = openClient(parts.env)
  const agentToken = await tokenFor(admin, AGENT)
  const reviewerToken = await tokenFor(admin, REVIEWER)
  const reviewer = openClient(parts.env, secret(reviewerToken))
  const agent = await connectAs(AGENT, agentToken, parts, await admin.text('/authority'))
  let number = 0
  const step = async (title: string, act: () => Promise<void>): Promise<void> => {
    await sleep(parts.pauseMs)
    parts.say(`\n${(number += 1)}. ${title}\n`)
    await withinTime(title, act)
  }
  let session = ''
  try {
    await step('An agent reads customers. Rule personal-data masks what it need not see.', () => maskedSelect(agent, parts))
    await step('It tries to drop a table. Rule agents-change-no-schema refuses, and the connection goes on.', () =>
      deniedDrop(agent, parts),
    )
    await step(`It deletes without a WHERE. Rule unbounded-writes holds it until ${REVIEWER} agrees.`, () =>
      heldDelete(agent, reviewer, parts),
    )
  } finally {
    await agent.end()
  }
  await step('An HTTP API, under the same rules: fields masked, a DELETE refused, a refund held.', () =>
    httpTour({ port: parts.ports.http, agentToken, reviewer, say: parts.say, pauseMs: parts.pauseMs }),
  )
  await step('And a server: a command is understood before it runs, however it is written.', () =>
    sshTour(admin, { port: parts.ports.ssh, agentToken, say: parts.say }),
  )
  await step('All of it is on record, as the agent saw it.', async () => {
    session = await replayed(admin, parts)
  })
  await step('And the record can be proved whole.', () => verified(admin, parts))
  return { session, agentToken, reviewerToken }
}

async function tokenFor(admin: GatewayClient, identity: string): Promise<string> {
  const { token } = await admin.call<{ readonly token: string }>('POST', '/tokens', { identity })
  return token
}

async function connectAs(user: string, password: string, { ports }: TourParts, authority: string): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: ports.postgres,
    user,
    password,
    database: TARGET,
    ssl: { ca: authority },
    application_name: 'demo',
    connectionTimeoutMillis: stepWithinMs,
  })
  // A connection that breaks fails the query that runs on it, and with it the step.
  client.on('error', () => {})
  await client.connect()
  return client
}

async function maskedSelect(agent: Client, { say }: TourParts): Promise<void> {
  const sql = 'select id, name, email, ssn from customers order by id'
  say(`   ${TARGET}=> ${sql};`)
  const { rows }: QueryResult<Record<string, unknown>> = await agent.query(sql)
  for (const row of rows)
    say(
      `   ${Object.values(row)
        .map((value) => String(value).padEnd(14))
        .join(' ')}`,
    )
  must(rows.length === 4, `four customers were expected, ${rows.length} came`)
  const seen = JSON.stringify(rows)
  must(!seen.includes('@example.test') && !/\d{3}-\d{2}-\d{4}/.test(seen), 'an e-mail address or a number came through unmasked')
  must(rows[0]?.['name'] === 'Ada Brook', 'a column that no rule masks was changed')
}

async function deniedDrop(agent: Client, { say }: TourParts): Promise<void> {
  say(`   ${TARGET}=> drop table orders;`)
  const error: unknown = await agent.query('drop table orders').then(
    () => undefined,
    (refusal: unknown) => refusal,
  )
  must(error instanceof DatabaseError && error.code === '42501', `ERROR 42501 was expected, not ${String(error)}`)
  if (!(error instanceof DatabaseError)) return
  say(`   ERROR:  ${error.message}`)
  if (error.hint !== undefined) say(`   HINT:  ${error.hint}`)
  const { rows }: QueryResult<{ count: string }> = await agent.query('select count(*) from orders')
  say(`   ${TARGET}=> select count(*) from orders;\n   ${rows[0]?.count ?? ''}`)
  must(rows[0]?.count === '40', 'the table is not as it was')
}

async function heldDelete(agent: Client, reviewer: GatewayClient, { say, pauseMs }: TourParts): Promise<void> {
  const sql = 'delete from abandoned_carts'
  say(`   ${TARGET}=> ${sql};`)
  const noticed = new Promise<string>((resolve) => agent.once('notice', (notice) => resolve(notice.message ?? '')))
  const deleting: Promise<QueryResult> = agent.query(sql)
  // Looked at below; until then a refusal must not count as unhandled.
  deleting.catch(() => {})
  say(`   NOTICE:  ${await Promise.race([noticed, failing(deleting)])}`)
  const open = await reviewer.call<readonly ReviewRecord[]>('GET', '/reviews?state=open')
  const review = open.find(({ text }) => text === sql)
  must(review !== undefined, 'the reviewer does not see the review')
  say(`\n   ${REVIEWER}, elsewhere:  sallyport reviews approve ${review.id} --reason "old carts may go"`)
  await sleep(pauseMs)
  await reviewer.call('POST', `/reviews/${review.id}/approve`, { reason: 'old carts may go' })
  const { rowCount } = await deleting
  say(`\n   DELETE ${rowCount ?? 0}`)
  must(rowCount === 12, `12 carts were to be deleted, not ${rowCount ?? 0}`)
}

/** Rejects where the statement is over before its notice came. */
async function failing(statement: Promise<QueryResult>): Promise<never> {
  await statement
  throw new StepFailed('the delete ran without a review')
}

async function replayed(admin: GatewayClient, { say }: TourParts): Promise<string> {
  const [session] = await admin.call<readonly SessionSummary[]>('GET', `/sessions?identity=${AGENT}&target=${TARGET}&limit=1`)
  must(session !== undefined, 'the session is not on record')
  say(`   sallyport replay ${session.id} --instant\n`)
  const texts: string[] = []
  for await (const line of admin.lines<Line>(`/sessions/${session.id}/replay`)) {
    texts.push(line.text)
    say(`   ${oneLine(asText(line), 150)}`)
  }
  const all = texts.join('\n')
  must(all.includes('drop table orders') && all.includes('delete from abandoned_carts'), 'a statement is missing from the replay')
  must(!all.includes('@example.test'), 'a masked value is on record')
  return session.id
}

async function verified(admin: GatewayClient, { say }: TourParts): Promise<void> {
  say('   sallyport verify --all')
  const { whole, sessions, faults } = await admin.call<Verified>('POST', '/verify', {})
  must(whole, `the record is not whole: ${faults.map((fault) => fault.what).join('; ')}`)
  say(`   whole: ${sessions} session${sessions === 1 ? '' : 's'}`)
}
