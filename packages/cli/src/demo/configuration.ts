// The demo's configuration, as an operator would write it: kept in the demo's home for the newcomer to read and change.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import { faultLine } from '../configuration/fault.js'
import { loadConfiguration } from '../configuration/load.js'
import type { Configuration } from '../configuration/load.js'
import type { Home } from '../home.js'
import type { SampleCrm } from './sample-crm.js'
import type { SampleHost } from './sample-host.js'
import type { SampleShop } from './sample-shop.js'

export const AGENT = 'shop-agent'
export const REVIEWER = 'rita'
export const TARGET = 'shop'
export const API = 'crm'
export const HOST = 'web'

export interface DemoPorts {
  readonly postgres: number
  readonly http: number
  readonly ssh: number
  readonly console: number
}

/** What stands behind the gateway. */
export interface Samples {
  readonly shop: SampleShop
  readonly crm: SampleCrm
  readonly host: SampleHost
}

function textFor({ shop, crm, host }: Samples, ports: DemoPorts): string {
  return `# Written by \`sallyport demo\` at each start. docs/configuration.md lists every key.
listen:
  - { protocol: postgres, address: 127.0.0.1:${ports.postgres} }
  - { protocol: http, address: 127.0.0.1:${ports.http} }
  - { protocol: ssh, address: 127.0.0.1:${ports.ssh} }
console: { address: 127.0.0.1:${ports.console} }

identities:
  - { name: ${AGENT}, kind: agent, groups: [agents] }
  - { name: ${REVIEWER}, kind: person, groups: [dba] }

targets:
  - name: ${TARGET}
    protocol: postgres
    address: ${shop.address}
    database: ${shop.database}
    tls: verify
    tlsAuthorities: ${JSON.stringify(shop.authorityFile)}
    credential: { username: ${shop.username}, password: { file: ${JSON.stringify(shop.passwordFile)} } }
    labels: { env: demo }
  - name: ${API}
    protocol: http
    address: ${crm.address}
    tls: "off"
    credential: { header: { name: X-Api-Key, value: { file: ${JSON.stringify(crm.keyFile)} } } }
    labels: { env: demo }
  - name: ${HOST}
    protocol: ssh
    address: ${host.address}
    hostKey: ${JSON.stringify(host.hostKey)}
    credential: { username: ${host.username}, password: { file: ${JSON.stringify(host.passwordFile)} } }
    labels: { env: demo }

grants:
  - { groups: [agents, dba], targets: [${TARGET}, ${API}, ${HOST}] }

rules:
  - name: agents-change-no-schema
    who: { kind: agent }
    what: { access: [schema, admin] }
    then: deny
    reason: Schema changes go through migrations.
    hint: Ask for a migration instead.
  - name: unbounded-writes
    what: { verbs: [update, delete], bounded: false }
    then: review
    reviewers: { groups: [dba], count: 1 }
    within: 15m
    reason: This changes every row of a table.
  - name: personal-data
    who: { kind: agent }
    what: { columns: ["*.customers.email", "*.customers.ssn"] }
    then: mask
    with: redact
  - name: personal-fields
    who: { kind: agent }
    what: { fields: ["*email", "*phone"] }
    then: mask
    with: partial
  - name: customers-are-kept
    what: { methods: [DELETE], paths: ["/customers/*"] }
    then: deny
    reason: Customers are kept.
    hint: Close the account instead.
  - name: refunds
    what: { methods: [POST], paths: ["/refunds"] }
    then: review
    reviewers: { groups: [dba], count: 1 }
    within: 15m
  - name: no-trees
    who: { kind: agent }
    what: { kinds: [command], programs: [rm], args: ["-r*"] }
    then: deny
    reason: Removing trees is for people.
  - name: no-terminals
    who: { kind: agent }
    what: { kinds: [shell] }
    then: deny
    reason: Agents run commands; terminals are for people.
    hint: Give the command to ssh.
`
}

export function writeConfiguration(home: Home, samples: Samples, ports: DemoPorts): Configuration {
  const file = join(home.directory, 'sallyport.yaml')
  writeFileSync(file, textFor(samples, ports), { mode: 0o600 })
  const loaded = loadConfiguration(file, {})
  if (loaded.kind === 'loaded') return loaded.value
  throw new Misconfigured('demo-configuration', loaded.faults.map((fault) => faultLine(file, fault)).join('\n'))
}
