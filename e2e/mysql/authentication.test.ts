// Every way to prove who one is, at both ends, with what is on the wire meanwhile: fast and full caching_sha2_password, RSA, clear, JWT, switches.

import { createConnection } from 'mysql2/promise'
import type { ConnectionOptions, RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mysqlCommand } from '../backends/mysql.js'
import { mysqlServer, onMysql } from '../backends/mysql-server.js'
import { openMysqlStage, type MysqlStage } from '../backends/mysql-stage.js'
import { audience, startIssuer, type TestIssuer } from '../backends/oidc-provider.js'
import { backendPassword } from '../backends/postgres.js'
import { lacks, run, type RunResult } from '../backends/programs.js'
import { openTap, type Tap } from '../backends/tap.js'

/** AuthMoreData of caching_sha2_password, as packets: the fast path was enough; the password itself is wanted. */
const fastDone = Buffer.from([2, 0, 0, 2, 1, 3])
const fullWanted = Buffer.from([2, 0, 0, 2, 1, 4])
const publicKey = 'BEGIN PUBLIC KEY'

describe.skipIf(mysqlServer('mariadb') === undefined)('a client proves who it is', () => {
  let issuer: TestIssuer
  let stage: MysqlStage
  let tap: Tap
  const claims = { preferred_username: 'mia@example.test', groups: ['dba'] }

  beforeAll(async () => {
    issuer = await startIssuer()
    stage = await openMysqlStage({
      rest: `identityProviders:\n  - { name: corp, kind: oidc, issuer: "${issuer.issuer}", clientId: sallyport, audience: ${audience}, groupsClaim: groups }\n`,
    })
    tap = await openTap(stage.gateway.mysqlPort)
  })

  beforeEach(() => tap.clear())

  afterAll(async () => {
    await tap.close()
    await stage.close()
    await issuer.close()
  })

  async function enter(user: string, password: string, options: ConnectionOptions = {}): Promise<unknown> {
    const client = await createConnection({ host: '127.0.0.1', port: tap.port, user, password, database: 'plain', ...options })
    try {
      const [rows] = await client.query<RowDataPacket[]>('select 40 + 2 as answer')
      return rows[0]?.['answer']
    } finally {
      await client.end()
    }
  }

  const tls: ConnectionOptions = { ssl: { rejectUnauthorized: false } }

  /** The clients of both families, with their own plugins. */
  async function byClient(command: readonly [string, ...string[]], password: string, args: readonly string[]): Promise<RunResult> {
    const [program, ...first] = command
    const place = ['--no-defaults', '--protocol=tcp', '-h', '127.0.0.1', '-P', String(tap.port), '--batch', '-e', 'select 40 + 2']
    return run(program, [...first, ...place, ...args, 'plain'], { env: { MYSQL_PWD: password } })
  }

  it('caching_sha2_password, fast: the token is not on the wire', async () => {
    const token = await stage.token('robot')
    expect(await enter('robot', token)).toBe(42)
    expect(tap.toClient().includes(fastDone)).toBe(true)
    expect(tap.toClient().includes(fullWanted)).toBe(false)
    expect(tap.toServer().includes(token)).toBe(false)
    expect(await enter('robot', token, tls)).toBe(42)
  })

  it('caching_sha2_password, full, under RSA: another token than the fast answer fits', async () => {
    const token = `${await stage.token('robot')}x`
    await expect(enter('robot', token)).rejects.toMatchObject({ errno: 1045 })
    expect(tap.toClient().includes(fullWanted)).toBe(true)
    expect(tap.toClient().includes(publicKey)).toBe(true)
    expect(tap.toServer().includes(token.slice(0, 20))).toBe(false)
  })

  it('caching_sha2_password with a JWT, but without TLS: refused before it is sent', async () => {
    const token = await issuer.token(claims)
    await expect(enter('mia@example.test', token)).rejects.toMatchObject({
      errno: 1045,
      message: expect.stringContaining('needs TLS') as string,
    })
    expect(tap.toServer().includes(token.slice(0, 20))).toBe(false)
  })

  it('caching_sha2_password, full, under TLS: a JWT of a real provider, and the session is theirs', async () => {
    const token = await issuer.token(claims)
    expect(await enter('mia@example.test', token, tls)).toBe(42)
    expect(tap.toServer().includes(token.slice(0, 30))).toBe(false)
    const sessions = await stage.gateway.json<{ identity: string }[]>('sessions', 'list', '--identity', 'mia@example.test')
    expect(sessions.length).toBeGreaterThan(0)
  })

  it.skipIf(lacks('mariadb'))('mysql_clear_password under TLS: a JWT', async () => {
    const token = await issuer.token(claims)
    const args = ['-u', 'mia@example.test', '--default-auth=mysql_clear_password', '--ssl']
    expect(await byClient(['mariadb'], token, args)).toMatchObject({ code: 0, stdout: '40 + 2\n42\n' })
    expect(tap.toServer().includes(token.slice(0, 30))).toBe(false)
  })

  it.skipIf(mysqlCommand('bin/mysql') === undefined)(
    'by the mysql client: fast, by RSA, full under TLS, and in clear',
    async () => {
      const mysql = mysqlCommand('bin/mysql') ?? ['mysql']
      const token = await stage.token('robot')
      const jwt = await issuer.token(claims)
      const entered = { code: 0, stdout: '40 + 2\n42\n' }
      expect(await byClient(mysql, token, ['-u', 'robot', '--ssl-mode=DISABLED'])).toMatchObject(entered)
      expect(tap.toClient().includes(fastDone)).toBe(true)
      expect(await byClient(mysql, token, ['-u', 'robot', '--ssl-mode=REQUIRED'])).toMatchObject(entered)
      tap.clear()
      const keyed = ['-u', 'robot', '--ssl-mode=DISABLED', '--get-server-public-key']
      expect((await byClient(mysql, `${token}x`, keyed)).stderr).toContain('ERROR 1045')
      expect(tap.toClient().includes(publicKey)).toBe(true)
      expect(await byClient(mysql, jwt, ['-u', 'mia@example.test', '--ssl-mode=REQUIRED'])).toMatchObject(entered)
      const clear = [
        '-u',
        'mia@example.test',
        '--ssl-mode=REQUIRED',
        '--enable-cleartext-plugin',
        '--default-auth=mysql_clear_password',
      ]
      expect(await byClient(mysql, jwt, clear)).toMatchObject(entered)
    },
  )

  it.skipIf(lacks('mariadb'))('beginning with a plugin of no use here, and is switched to another', async () => {
    const token = await stage.token('robot')
    for (const plugin of ['client_ed25519', 'dialog', 'sha256_password']) {
      tap.clear()
      const args = ['-u', 'robot', `--default-auth=${plugin}`, '--skip-ssl']
      expect(await byClient(['mariadb'], token, args), plugin).toMatchObject({ code: 0, stdout: '40 + 2\n42\n' })
      expect(tap.toClient().includes(Buffer.from('\xfecaching_sha2_password\0', 'latin1')), plugin).toBe(true)
    }
    const jwt = await issuer.token(claims)
    const native = ['-u', 'mia@example.test', '--default-auth=mysql_native_password', '--ssl']
    expect(await byClient(['mariadb'], jwt, native)).toMatchObject({ code: 0, stdout: '40 + 2\n42\n' })
  })

  it('with a JWT of somebody else, of another issuer or past its time: refused, and the JWT is in no log', async () => {
    const good = await issuer.token(claims)
    const bad: (readonly [string, string])[] = [
      ['noa@example.test', good],
      ['mia@example.test', good.replace(/.{8}$/, 'AAAAAAAA')],
      ['mia@example.test', await issuer.token({ ...claims, exp: Math.floor(Date.now() / 1000) - 120 })],
      ['mia@example.test', await issuer.token({ ...claims, iss: 'https://elsewhere.test' })],
      ['robot', await issuer.token({ ...claims, preferred_username: 'robot' })],
    ]
    for (const [user, token] of bad) {
      await expect(enter(user, token, tls)).rejects.toMatchObject({ errno: 1045 })
      expect(stage.gateway.log()).not.toContain(token)
    }
  })
})

describe.skipIf(mysqlServer('mysql') === undefined)('the gateway proves itself to MySQL', () => {
  let stage: MysqlStage
  let tap: Tap

  beforeAll(async () => {
    const facts = mysqlServer('mysql')
    tap = await openTap(facts?.port ?? 0)
    stage = await openMysqlStage({
      kind: 'mysql',
      targets: ({ users }) => [
        { name: 'sha2', user: users.first, tls: 'off', port: tap.port },
        { name: 'sha2-tls', user: users.first, tls: 'verify', port: tap.port },
        { name: 'sha256', user: users.second, tls: 'off', port: tap.port },
        { name: 'sha256-tls', user: users.second, tls: 'verify', port: tap.port },
      ],
    })
  })

  afterAll(async () => {
    await stage.close()
    await tap.close()
  })

  async function enter(target: string): Promise<unknown> {
    tap.clear()
    const client = await stage.client('robot', target)
    const [rows] = await client.query<RowDataPacket[]>('select substring_index(current_user(), "@", 1) as who')
    await client.end()
    expect(tap.toServer().includes(backendPassword)).toBe(false)
    return rows[0]?.['who']
  }

  /** The server forgets whom it has let in: the next login must be full. */
  const forget = async (): Promise<unknown> => onMysql(stage.facts, 'flush privileges')

  it('by caching_sha2_password without TLS: in full under its RSA key, then fast', async () => {
    await forget()
    expect(await enter('sha2')).toBe(stage.facts.users.first)
    expect(tap.toClient().includes(Buffer.from([1, 4]))).toBe(true)
    expect(tap.toClient().includes(publicKey)).toBe(true)
    expect(await enter('sha2')).toBe(stage.facts.users.first)
    expect(tap.toClient().includes(publicKey)).toBe(false)
    expect(tap.toClient().includes(fastDone)).toBe(true)
  })

  it('by caching_sha2_password under verified TLS: in full, then fast', async () => {
    await forget()
    expect(await enter('sha2-tls')).toBe(stage.facts.users.first)
    expect(await enter('sha2-tls')).toBe(stage.facts.users.first)
  })

  it('by sha256_password, switched to from the server`s own plugin: under its RSA key, and under TLS', async () => {
    expect(await enter('sha256')).toBe(stage.facts.users.second)
    expect(tap.toClient().includes('\xfesha256_password\0', 0, 'latin1')).toBe(true)
    expect(tap.toClient().includes(publicKey)).toBe(true)
    expect(await enter('sha256-tls')).toBe(stage.facts.users.second)
  })
})
