// Two gateways on one database: what is done on one holds on the other.

import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type Gateway } from '../backends/gateway.js'
import { backendPassword, databaseName, makeDatabase, users } from '../backends/postgres.js'
import { openPsql, psql, waitFor } from '../backends/psql.js'
import { decide, openReview } from '../backends/reviews.js'
import { shop } from '../backends/samples.js'
import { server, targetYaml } from '../backends/shop.js'

let first: Gateway
let second: Gateway

beforeAll(async () => {
  const facts = server()
  const [sample, record] = [databaseName('shop_nodes'), databaseName('record_nodes')]
  await makeDatabase(facts, sample, shop)
  await makeDatabase(facts, record, '')
  const configuration = `
database: postgresql://${users.superuser}@127.0.0.1:${facts.port}/${record}
identities:
  - { name: robot, kind: agent, groups: [agents] }
  - { name: ann, kind: person, groups: [dba] }
targets:
${targetYaml('shop', facts, sample)}
grants:
  - { groups: [agents, dba], targets: ["*"] }
rules:
  - { name: unbounded, what: { verbs: [update], bounded: false }, then: review, reviewers: { groups: [dba] }, within: 1m }
`
  const env = { BACKEND_PASSWORD: backendPassword }
  first = await startGateway(configuration, { env })
  second = await startGateway(configuration, { env })
  // As docs/operations.md says: the key of the installation is the same on every node.
  cpSync(join(first.home, 'keys', 'installation.key'), join(second.home, 'keys', 'installation.key'))
  await second.restart()
})

afterAll(async () => {
  await second?.remove()
  await first?.remove()
})

interface Listed {
  readonly id: string
  readonly node: string
}

describe('two nodes', () => {
  it('know each other’s tokens, also by challenge-response', async () => {
    const token = await first.token('robot')
    const there = await psql(`postgresql://robot:${token}@127.0.0.1:${second.port}/shop`, 'select 6 * 7;')
    expect([there.code, there.stdout]).toEqual([0, '42\n'])
    expect((await second.cli(['whoami'], { as: token })).stdout).toContain('robot')
    const made = (await first.json<readonly { readonly id: string; readonly identity: string }[]>('token', 'list')).find(
      ({ identity }) => identity === 'robot',
    )
    expect((await second.cli(['token', 'revoke', made?.id ?? ''])).code).toBe(0)
    expect((await psql(`postgresql://robot:${token}@127.0.0.1:${first.port}/shop`, 'select 1;')).code).not.toBe(0)
  })

  it('release what was approved on the other', async () => {
    const waiting = psql(await first.url('robot', 'shop'), 'update orders set total = total;')
    const { id } = await openReview(second, 'set total')
    expect((await decide(second, 'approve', id, 'ann')).code).toBe(0)
    expect((await waiting).stdout).toContain('UPDATE 100')
  })

  it('cut sessions of the other', async () => {
    const live = (): Promise<readonly Listed[]> => second.json('sessions', 'list', '--live')
    // One that has just ended may be listed a moment longer.
    const others = new Set((await live()).map(({ id }) => id))
    const held = openPsql(await first.url('robot', 'shop'))
    held.say('select 4711;')
    await held.until(/4711/)
    const open = await waitFor(
      async () => (await live()).find(({ id }) => !others.has(id)),
      10_000,
      () => 'the session to be seen on the other node',
    )
    expect((await second.cli(['sessions', 'end', open.id, '--reason', 'from the other node'])).code).toBe(0)
    held.say('select 1;')
    await held.until(/from the other node|server closed|terminat/)
    held.kill()
  })

  it('prove the record of both, and give evidence of it', async () => {
    await psql(await second.url('robot', 'shop'), 'select 1;')
    const both = async (): Promise<readonly Listed[] | undefined> => {
      const listed = await first.json<readonly Listed[]>('sessions', 'list')
      return new Set(listed.map(({ node }) => node)).size === 2 ? listed : undefined
    }
    const listed = await waitFor(both, 10_000, () => 'sessions of both nodes to be listed')
    for (const node of [first, second]) {
      const verified = await node.json<{
        readonly whole: boolean
        readonly sessions: number
        readonly unpinned: readonly string[]
      }>('verify', '--all')
      expect([verified.whole, verified.unpinned.length]).toEqual([true, 1])
      expect(verified.sessions).toBeGreaterThanOrEqual(listed.length)
    }
  })
})
