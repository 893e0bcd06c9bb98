// The stage most tests play on: the sample shop in a database of its own, and a gateway in front of it with a rule of each kind.

import { inject, onTestFinished } from 'vitest'
import { Client } from 'pg'
import { startGateway, type Gateway } from './gateway.js'
import { backendPassword, databaseName, makeDatabase, users, type PostgresFacts, type PostgresKind } from './postgres.js'
import { shop } from './samples.js'
import { WireClient } from './wire-client.js'

export interface Stage {
  readonly facts: PostgresFacts
  readonly database: string
  readonly gateway: Gateway
  /** A node-postgres client, connected, for the test it is opened in. */
  client(identity: string, target: string, config?: Readonly<Record<string, unknown>>): Promise<Client>
  wire(identity: string, target: string, parameters?: Readonly<Record<string, string>>): Promise<WireClient>
  close(): Promise<void>
}

export interface StageOptions {
  readonly kind?: PostgresKind
  /** More of the configuration, put after what stands here: lists of the keys below go on. */
  readonly targets?: (database: string) => string
  readonly rules?: string
  readonly rest?: string
  readonly sql?: string
  readonly env?: Readonly<Record<string, string>>
}

/** The running server of a kind; where the machine lacks it, the other. */
export function server(kind: PostgresKind = 'system'): PostgresFacts {
  const servers = inject('postgres')
  const found = servers.find((one) => one.kind === kind) ?? servers[0]
  if (found === undefined) throw new Error('no PostgreSQL server is running')
  return found
}

/** A target at this server. */
export function targetYaml(
  name: string,
  facts: PostgresFacts,
  database: string,
  more = 'tls: "off"',
  user: string = users.scram,
): string {
  return `  - name: ${name}
    protocol: postgres
    address: 127.0.0.1:${facts.port}
    database: ${database}
    credential: { username: ${user}, password: { env: BACKEND_PASSWORD } }
    ${more}
`
}

const rulesOfTheShop = `
  - name: no-schema-changes
    who: { kind: agent }
    where: { targets: [shop, root] }
    what: { access: [schema, admin] }
    then: deny
    reason: Schema changes go through migrations.
    hint: Ask the platform team for a migration.
  - name: hands-off-scratch
    where: { targets: [shop, root] }
    what: { objects: ["*.scratch"] }
    then: deny
    reason: Scratch is not for you.
  - name: unbounded-writes
    where: { targets: [shop, root] }
    what: { verbs: [update, delete], objects: ["*.orders"], bounded: false }
    then: review
    reason: It would change every order.
    reviewers: { groups: [dba], count: 1 }
    within: 15m
  - name: two-people
    where: { targets: [shop, root] }
    what: { verbs: [delete], objects: ["*.staff"] }
    then: review
    reviewers: { groups: [dba], count: 2 }
    within: 15m
  - name: soon-over
    where: { targets: [shop, root] }
    what: { verbs: [insert], objects: ["*.staff"] }
    then: review
    reviewers: { groups: [dba] }
    within: 5s
  - name: email
    where: { targets: [shop, root] }
    what: { columns: ["*.customers.email"] }
    then: mask
    with: partial
  - name: ssn
    where: { targets: [shop, root] }
    what: { columns: ["*.customers.ssn", "priv.orders.secret"] }
    then: mask
    with: redact
  - name: salary
    where: { targets: [shop, root] }
    what: { columns: ["*.customers.salary"] }
    then: mask
    with: "null"
  - name: no-bulk
    where: { targets: [shop, root] }
    what: { access: [read], objects: ["*.numbers"], rowsOver: 1000 }
    then: deny
    reason: That is an export.
`

const identities = `
identities:
  - { name: robot, kind: agent, groups: [agents] }
  - { name: second, kind: agent, groups: [agents] }
  - { name: stranger, kind: agent, groups: [] }
  - { name: ann, kind: person, groups: [dba] }
  - { name: ben, kind: person, groups: [dba] }
  - { name: guest, kind: person, groups: [] }
`

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const facts = server(options.kind)
  const database = databaseName('shop')
  await makeDatabase(facts, database, options.sql ?? shop)
  const verified = `tls: verify\n    tlsAuthorities: ${facts.authorityFile}`
  // `root` is the worst case, a stored credential that may do everything, under the same rules as `shop`; `plain` has none.
  const own = [
    targetYaml('shop', facts, database, verified),
    targetYaml('root', facts, database, 'tls: "off"', users.superuser),
    targetYaml('plain', facts, database),
  ]
  const targets = own.join('') + (options.targets?.(database) ?? '')
  const configuration = `${identities}
targets:
${targets}
grants:
  - { groups: [agents, dba], targets: ["*"] }
rules:
${rulesOfTheShop}${options.rules ?? ''}
${options.rest ?? ''}
`
  const gateway = await startGateway(configuration, { env: { BACKEND_PASSWORD: backendPassword, ...options.env } })
  return {
    facts,
    database,
    gateway,
    client: async (identity, target, config = {}) => {
      const client = new Client({ connectionString: await gateway.url(identity, target), ...config })
      client.on('error', () => undefined) // a session that is cut is told by its queries
      await client.connect()
      onTestFinished(() => client.end())
      return client
    },
    wire: async (identity, target, parameters = {}) => {
      const url = new URL(await gateway.url(identity, target))
      const wire = await WireClient.login({
        port: gateway.port,
        user: identity,
        password: url.password,
        database: target,
        parameters,
      })
      onTestFinished(() => wire.close())
      return wire
    },
    close: () => gateway.remove(),
  }
}
