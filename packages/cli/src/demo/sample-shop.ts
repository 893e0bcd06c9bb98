// A small shop to guard: the embedded engine once more, over TCP with TLS, with a role and a password of its own.

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gatewayTls } from '@sallyport/gateway'
import { startEmbedded } from '@sallyport/store'
import { Client } from 'pg'
import type { Log } from '../start/logging.js'

export interface SampleShop {
  readonly address: string
  readonly database: string
  readonly username: string
  readonly passwordFile: string
  /** PEM file of the authority that signed the sample's certificate. */
  readonly authorityFile: string
  stop(): Promise<void>
}

const DATABASE = 'shop'
const ROLE = 'shop_app'

/** Made anew at each start, so that the tour always finds the same shop. */
const SCHEMA = `
create table customers (id int primary key, name text not null, email text not null, ssn text not null);
create table orders (id int primary key, customer int not null references customers, placed date not null, total numeric(10,2) not null);
create table abandoned_carts (id int primary key, customer int not null references customers, updated date not null);
insert into customers values
  (1, 'Ada Brook', 'ada@example.test', '078-05-1120'), (2, 'Ben Carver', 'ben@example.test', '219-09-9999'),
  (3, 'Cleo Dunn', 'cleo@example.test', '457-55-5462'), (4, 'Dev Ellis', 'dev@example.test', '987-65-4320');
insert into orders select n, 1 + n % 4, date '2026-01-01' + n, n * 7.5 from generate_series(1, 40) n;
insert into abandoned_carts select n, 1 + n % 4, date '2025-06-01' + n from generate_series(1, 12) n;
`

export async function startShop(directory: string, port: number, log: Log): Promise<SampleShop> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const tls = join(directory, 'tls')
  gatewayTls(tls, ['127.0.0.1'])
  const [certificate, key] = ['gateway.crt', 'gateway.key'].map((file) => readFileSync(join(tls, file), 'utf8'))
  const server = await startEmbedded({
    directory: join(directory, 'server'),
    log,
    tcp: { port, certificate: certificate ?? '', key: key ?? '' },
    // Made anew below, whatever an older engine left.
    carryOver: () => Promise.resolve(),
  })
  try {
    const password = randomBytes(18).toString('base64url')
    const passwordFile = join(directory, 'password')
    writeFileSync(passwordFile, password, { mode: 0o600 })
    await fill(server.connection, password)
    return {
      address: `127.0.0.1:${port}`,
      database: DATABASE,
      username: ROLE,
      passwordFile,
      authorityFile: join(tls, 'authority.crt'),
      stop: () => server.stop(),
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function fill(
  superuser: { readonly host: string; readonly port: number; readonly user: string; readonly password: string },
  password: string,
): Promise<void> {
  const reach = { host: superuser.host, port: superuser.port, user: superuser.user, password: superuser.password }
  await withClient(new Client({ ...reach, database: 'postgres' }), async (client) => {
    await client.query(`drop database if exists ${DATABASE} with (force)`)
    await client.query(`drop role if exists ${ROLE}`)
    await client.query(`create role ${ROLE} login password ${client.escapeLiteral(password)}`)
    await client.query(`create database ${DATABASE} owner ${ROLE}`)
  })
  await withClient(new Client({ ...reach, database: DATABASE }), async (client) => {
    await client.query(`grant all on schema public to ${ROLE}; set role ${ROLE}; ${SCHEMA}`)
  })
}

async function withClient(client: Client, work: (client: Client) => Promise<void>): Promise<void> {
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
