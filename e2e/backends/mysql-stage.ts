// The stage that MySQL tests play on: the sample shop in a database of its own, and a gateway in front of it with a rule of each kind.

import { createConnection } from 'mysql2/promise'
import type { Connection, ConnectionOptions } from 'mysql2/promise'
import { startGateway, type Gateway } from './gateway.js'
import { mysqlServer, onMysql } from './mysql-server.js'
import type { MysqlFacts, MysqlKind } from './mysql-server.js'
import { backendPassword, databaseName } from './postgres.js'
import { run, program, type RunResult } from './programs.js'
import { planted } from './samples.js'

export interface MysqlStage {
  readonly facts: MysqlFacts
  readonly database: string
  readonly gateway: Gateway
  token(identity: string): Promise<string>
  /** A mysql2 connection; closed at the end with the rest. */
  client(identity: string, target: string, options?: ConnectionOptions): Promise<Connection>
  /** The `mariadb` client with SQL on its input; it goes on after an error. */
  mariadb(identity: string, target: string, sql: string, args?: readonly string[]): Promise<RunResult>
  close(): Promise<void>
}

const mysqlShop = `
create table customers (id int primary key, name varchar(50) not null, email varchar(80), ssn varchar(20) check (ssn <> 'forbidden'),
  salary int, note varchar(200) default '');
insert into customers values (1, 'Ada', '${planted.email}', '${planted.ssn}', ${planted.salary}, 'first'),
  (2, 'Bob', '${planted.otherEmail}', '${planted.otherSsn}', 52000, 'second'), (3, 'Cyd', null, null, null, 'third');
create table digits (d int primary key);
insert into digits values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
create table orders (id int primary key, customer int, total decimal(10,2), placed date default '2026-01-02');
insert into orders (id, customer, total) select n, 1 + n % 3, n * 1.5 from (select a.d * 10 + b.d + 1 n from digits a, digits b) s;
create table scratch (k varchar(200), v text);
create table staff (id int primary key, boss int);
create table numbers as select n as id, sha2(n, 256) as filler
  from (select a.d * 10000 + b.d * 1000 + c.d * 100 + d.d * 10 + e.d + 1 n from digits a, digits b, digits c, digits d, digits e where a.d < 2) s;
create table kinds (id int primary key, tiny tinyint, big bigint unsigned, f double, d decimal(12,4), dt datetime(6), da date, ti time(3), b blob, j json, e enum('x','y'));
insert into kinds values (1, -5, 18446744073709551615, 1.5, 12.3456, '2026-01-02 03:04:05.678901', '2026-02-03', '-12:34:56.789', x'00ff10', '{"a":1}', 'y'), (2, null, null, null, null, null, null, null, null, null, null);
create view contacts as select id, name, email from customers;
create view addresses as select email as harmless from contacts;
create view odd as select id, (select max(c.ssn) from customers c) as worst from orders;
`

/** With a delimiter of their own, so each is sent alone. */
const code = [
  'create function leak() returns varchar(20) reads sql data return (select ssn from customers where id = 1)',
  'create procedure blurt() select ssn from customers',
  'create procedure pair(in a int, out b int) begin select a as first; select a + 1 as second; set b = a * 2; end',
  "create procedure modes() set session sql_mode = 'ANSI_QUOTES'",
]

const rules = `
  - { name: no-schema-changes, who: { kind: agent }, where: { targets: [shop, root] }, what: { access: [schema, admin] }, then: deny, reason: Schema changes go through migrations. }
  - { name: hands-off-scratch, where: { targets: [shop] }, what: { objects: ["*.scratch"] }, then: deny, reason: Scratch is not for you. }
  - { name: unbounded-writes, where: { targets: [shop, root] }, what: { verbs: [update, delete], objects: ["*.orders"], bounded: false }, then: review, reviewers: { groups: [dba], count: 1 }, within: 15m }
  - { name: email, where: { targets: [shop, root] }, what: { columns: ["*.customers.email"] }, then: mask, with: partial }
  - { name: ssn, where: { targets: [shop, root] }, what: { columns: ["*.customers.ssn"] }, then: mask, with: redact }
  - { name: salary, where: { targets: [shop, root] }, what: { columns: ["*.customers.salary"] }, then: mask, with: "null" }
  - { name: no-bulk, where: { targets: [shop, root] }, what: { access: [read], objects: ["*.numbers"], rowsOver: 1000 }, then: deny, reason: That is an export. }
`

function target(facts: MysqlFacts, database: string, { name, user, tls, port = facts.port }: MoreTarget): string {
  const secured = tls === 'off' ? 'tls: "off"' : `tls: verify, tlsAuthorities: ${facts.authorityFile}`
  return `  - { name: ${name}, protocol: mysql, address: "127.0.0.1:${port}", database: ${database}, credential: { username: ${user}, password: { env: BACKEND_PASSWORD } }, ${secured} }\n`
}

const usualTargets = ({ users: { first, second, reader } }: MysqlFacts): readonly MoreTarget[] => [
  { name: 'shop', user: first, tls: 'verify' },
  { name: 'plain', user: first, tls: 'off' },
  { name: 'root', user: second, tls: 'off' },
  { name: 'wrong', user: reader, tls: 'off' },
]

function running(kind: MysqlKind): MysqlFacts {
  const facts = mysqlServer(kind)
  if (facts === undefined) throw new Error(`no ${kind} server is running`)
  return facts
}

export interface StageOptions {
  readonly kind?: MysqlKind
  /** More of the configuration: identity providers. */
  readonly rest?: string
  /** More targets, at the same database. */
  readonly targets?: (facts: MysqlFacts) => readonly MoreTarget[]
}

interface MoreTarget {
  readonly name: string
  readonly user: string
  readonly tls: 'off' | 'verify'
  /** Where the server is reached by a detour. */
  readonly port?: number
}

export async function openMysqlStage({ kind = 'mariadb', rest = '', targets = () => [] }: StageOptions = {}): Promise<MysqlStage> {
  const facts = running(kind)
  const database = databaseName('shop')
  await onMysql(facts, `create database ${database}; use ${database}; ${mysqlShop}`)
  for (const statement of code) await onMysql(facts, `use ${database}; ${statement}`)
  const configuration = `${rest}
identities:
  - { name: robot, kind: agent, groups: [agents] }
  - { name: second, kind: agent, groups: [agents] }
  - { name: ann, kind: person, groups: [dba] }
  - { name: guest, kind: person, groups: [] }
targets:
${[...usualTargets(facts), ...targets(facts)].map((one) => target(facts, database, one)).join('')}
grants:
  - { groups: [agents, dba], targets: ["*"] }
rules:${rules}`
  const gateway = await startGateway(configuration, { env: { BACKEND_PASSWORD: backendPassword } })
  const opened: Connection[] = []
  const tokens = new Map<string, Promise<string>>()
  const token = (identity: string): Promise<string> => {
    const known = tokens.get(identity) ?? gateway.token(identity)
    tokens.set(identity, known)
    return known
  }
  return {
    facts,
    database,
    gateway,
    token,
    client: async (identity, name, options = {}) => {
      const password = await token(identity)
      const connection = await createConnection({
        host: '127.0.0.1',
        port: gateway.mysqlPort,
        user: identity,
        password,
        database: name,
        ...options,
      })
      connection.on('error', () => undefined) // a session that is cut is told by its queries
      opened.push(connection)
      return connection
    },
    mariadb: async (identity, name, sql, args = []) => {
      const base = ['--no-defaults', '-h', '127.0.0.1', '-P', String(gateway.mysqlPort), '-u', identity, '--force', '--batch']
      return run(program('mariadb'), [...base, ...args, name], { input: sql, env: { MYSQL_PWD: await token(identity) } })
    },
    close: async () => {
      await Promise.allSettled(opened.map((one) => one.end()))
      await gateway.remove()
      await onMysql(facts, `drop database ${database}`)
    },
  }
}
