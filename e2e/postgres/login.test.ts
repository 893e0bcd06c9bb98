// Who gets in, by which door, and what those who do not are told.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { users } from '../backends/postgres.js'
import { lacks } from '../backends/programs.js'
import { psql } from '../backends/psql.js'
import { inRecords } from '../backends/records.js'
import { openStage, server, targetYaml, type Stage } from '../backends/shop.js'
import { fields, startup, WireClient } from '../backends/wire-client.js'

const whoami = `select current_setting('is_superuser'), 'in';`

let stage: Stage
let authority: string

beforeAll(async () => {
  const facts = server()
  const other = inject('postgres').find((one) => one.kind === 'embedded') ?? facts
  const at = (name: string, user: string, more?: string): string => targetYaml(name, facts, 'postgres', more, user)
  const targets = [
    at('by-md5', users.md5),
    at('by-clear', users.clear, `tls: require\n    databases: ["post*"]`),
    at('by-trust', users.trust),
    at('wrong-password', 'nobody_here'),
    at('wrong-authority', users.scram, 'tls: verify'),
    targetYaml('eighteen', other, 'postgres', `tls: verify\n    tlsAuthorities: ${other.authorityFile}`),
    targetYaml('unreachable', { ...facts, port: 1 }, 'postgres'),
  ]
  stage = await openStage({ targets: () => targets.join('') })
  authority = join(stage.gateway.home, '..', 'authority.pem')
  const printed = await stage.gateway.cli(['ca'])
  writeFileSync(authority, printed.stdout)
})

afterAll(() => stage.close())

describe.skipIf(lacks('psql'))('psql', () => {
  it.each([
    ['whatever it prefers', ''],
    ['without TLS, by SCRAM', 'sslmode=disable'],
    ['with TLS required', 'sslmode=require'],
    ['with channel binding required', 'sslmode=require&channel_binding=require'],
  ])('logs in %s', async (_, parameters) => {
    const result = await psql(await stage.gateway.url('robot', 'shop', parameters), whoami)
    expect(result).toMatchObject({ code: 0, stdout: 'off|in\n', stderr: '' })
  })

  it.each(['verify-ca', 'verify-full'])(
    "checks the gateway's certificate with sslmode=%s and the authority of `sallyport ca`",
    async (mode) => {
      const url = (await stage.gateway.url('robot', 'shop', `sslmode=${mode}`)).replace('127.0.0.1', 'localhost')
      const result = await psql(url, whoami, { env: { PGSSLROOTCERT: authority } })
      expect(result).toMatchObject({ code: 0, stdout: 'off|in\n', stderr: '' })
      const wrong = await psql(url, whoami, { env: { PGSSLROOTCERT: stage.facts.authorityFile } })
      expect(wrong.code).toBe(2)
      expect(wrong.stderr).toContain('certificate verify failed')
    },
  )

  it.each(['by-md5', 'by-clear', 'by-trust', 'eighteen', 'by-clear.postgres'])(
    'reaches target %s with its stored credential',
    async (target) => {
      const result = await psql(await stage.gateway.url('robot', target), whoami)
      expect(result).toMatchObject({ code: 0, stdout: 'off|in\n', stderr: '' })
    },
  )

  it.each([
    ['no-such-target', /no-such-target/],
    ['by-clear.template1', /template1/],
    ['unreachable', /unreachable/],
    ['wrong-password', /wrong-password/],
    ['wrong-authority', /wrong-authority/],
  ])('is told in one line that %s cannot be had', async (target, said) => {
    const result = await psql(await stage.gateway.url('robot', target), whoami)
    expect(result.code).toBe(2)
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(said)
    expect(result.stderr).not.toContain('stored-credential')
  })

  it('tells an identity without a grant so, and names no other target', async () => {
    const result = await psql(await stage.gateway.url('stranger', 'shop'), whoami)
    expect(result.code).toBe(2)
    expect(result.stderr).toMatch(/stranger.*shop|shop.*stranger|not granted|no grant/i)
    expect(result.stderr).not.toContain('by-md5')
  })
})

describe('a token', () => {
  const login = async (user: string, password: string): Promise<string> => {
    try {
      const client = await WireClient.login({ port: stage.gateway.port, user, password, database: 'shop' })
      client.close()
      return 'in'
    } catch (error) {
      return String(error)
    }
  }

  it('that is wrong, of nobody, expired or revoked is refused in one and the same way', async () => {
    const good = await stage.gateway.token('robot')
    expect(await login('robot', good)).toBe('in')
    const wrong = await login('robot', `${good.slice(0, -2)}zz`)
    expect(wrong).not.toBe('in')
    expect((await login('nobody', good)).replace('nobody', 'robot')).toBe(wrong)
    expect((await login('second', good)).replace('second', 'robot')).toBe(wrong)
    const short = await stage.gateway.token('robot', '--ttl', '1m')
    const newest = '(select max(created_at) from sallyport.tokens)'
    await inRecords(stage.gateway.home, `update sallyport.tokens set expires_at = now() where created_at = ${newest}`)
    expect(await login('robot', short)).toBe(wrong)
    const before = await stage.gateway.json<readonly { id: string }[]>('token', 'list')
    const doomed = await stage.gateway.token('robot')
    const after = await stage.gateway.json<readonly { id: string }[]>('token', 'list')
    const made = after.find(({ id }) => before.every((one) => one.id !== id))
    expect(await login('robot', doomed)).toBe('in')
    expect((await stage.gateway.cli(['token', 'revoke', made?.id ?? ''])).code).toBe(0)
    expect(await login('robot', doomed)).toBe(wrong)
    expect(await login('robot', good)).toBe('in')
  })

  it('is never printed again', async () => {
    const token = await stage.gateway.token('robot')
    expect((await stage.gateway.cli(['token', 'list'])).stdout).not.toContain(token)
    expect(stage.gateway.log()).not.toContain(token)
  })
})

describe('the first bytes', () => {
  const tlsRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
  const gssRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 48])

  it('may be TLS at once, with ALPN', async () => {
    const socket = connectTls({
      port: stage.gateway.port,
      host: '127.0.0.1',
      ALPNProtocols: ['postgresql'],
      rejectUnauthorized: false,
    })
    await new Promise((done, fail) => socket.once('secureConnect', done).once('error', fail))
    socket.write(startup({ user: 'robot', database: 'shop' }))
    const first = await new Promise<Buffer>((done) => socket.once('data', done))
    expect(first.toString('latin1', 0, 1)).toBe('R')
    socket.destroy()
  })

  it('that follow a TLS request before its answer are never read', async () => {
    const client = await WireClient.open(stage.gateway.port)
    client.send(tlsRequest, startup({ user: 'robot', database: 'shop' }))
    expect(await client.gone()).toBe(true)
    expect(Buffer.concat(client.transcript).toString('latin1')).not.toContain('SCRAM')
  })

  it('may ask for GSS encryption, and for TLS over and over, but not without end', async () => {
    const client = await WireClient.open(stage.gateway.port)
    for (let asked = 0; asked < 50 && !client.closed; asked++) {
      client.send(gssRequest)
      await wait(5)
    }
    expect(await client.gone()).toBe(true)
  })

  it.each([
    ['a length of 2 GB', Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0])],
    ['a length of 3', Buffer.from([0, 0, 0, 3, 0, 3, 0, 0])],
    ['protocol 2.0', Buffer.from([0, 0, 0, 9, 0, 2, 0, 0, 0])],
    ['100 kB of names', startup({ user: 'robot', database: 'shop', application_name: 'x'.repeat(100_000) })],
    ['noise', Buffer.alloc(64, 0xa5)],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n')],
  ])('being %s end the connection and nothing else', async (_, bytes) => {
    const client = await WireClient.open(stage.gateway.port)
    client.send(bytes)
    expect(await client.gone()).toBe(true)
    expect(await (await stage.wire('robot', 'shop')).ask('select 1')).toHaveLength(4)
  })

  it('that never come, or stop half-way, hold up nobody', async () => {
    const silent = await Promise.all(Array.from({ length: 30 }, () => WireClient.open(stage.gateway.port)))
    for (const [at, client] of silent.entries())
      if (at % 2 === 0) client.send(startup({ user: 'robot', database: 'shop' }).subarray(0, 10))
    const began = Date.now()
    const client = await stage.wire('robot', 'shop')
    expect(await client.ask('select 1')).toHaveLength(4)
    expect(Date.now() - began).toBeLessThan(3000)
    for (const one of silent) one.close()
  })

  it('are dropped when the login takes too long', async () => {
    const slow = await openStage({ rest: 'limits: { loginSeconds: 1 }' })
    try {
      const client = await WireClient.open(slow.gateway.port)
      expect(await client.gone(10_000)).toBe(true)
      const half = await WireClient.open(slow.gateway.port)
      half.send(startup({ user: 'robot', database: 'shop' }))
      expect(await half.gone(10_000)).toBe(true)
    } finally {
      await slow.close()
    }
  })
})

describe('startup parameters', () => {
  it.each([
    ['replication', 'database'],
    ['replication', 'true'],
    ['role', 'postgres'],
    ['session_authorization', 'postgres'],
    ['search_path', 'priv'],
    ['options', '-c role=postgres'],
    ['options', '-c session_replication_role=replica'],
    ['standard_conforming_strings', 'off'],
    ['client_encoding', 'GBK'],
  ])('%s=%s is refused', async (name, value) => {
    await expect(stage.wire('robot', 'shop', { [name]: value })).rejects.toThrow(/./)
  })

  it('that are harmless are passed on', async () => {
    const wire = await stage.wire('robot', 'shop', {
      application_name: 'reports',
      DateStyle: 'German',
      TimeZone: 'Europe/Rome',
      client_encoding: 'UTF8',
    })
    const answers = await wire.ask(
      `select current_setting('datestyle') || '/' || current_setting('timezone') || '/' || current_setting('application_name')`,
    )
    expect(answers.find(({ type }) => type === 'D')?.body.toString()).toContain('German, DMY/Europe/Rome/reports')
  })

  it('unknown protocol extensions are answered once, and the login goes on', async () => {
    const client = await WireClient.open(stage.gateway.port)
    client.send(startup({ user: 'robot', database: 'shop', '_pq_.test_protocol_negotiation': '' }, 0x00030000 + 9999))
    const first = await client.next()
    expect(first?.type).toBe('v')
    expect(first?.body.readInt32BE(0) ?? 0).toBeLessThanOrEqual(0x00030002)
    expect(first?.body.toString()).toContain('_pq_.test_protocol_negotiation')
    expect((await client.next())?.type).toBe('R')
    client.close()
  })

  it('3.2 gives a cancel key, 3.0 one of four bytes, and the process id is the true one', async () => {
    const wire = await stage.wire('robot', 'shop')
    expect(wire.backend.secret).toHaveLength(4)
    const answers = await wire.ask('select pg_backend_pid()')
    expect(answers.find(({ type }) => type === 'D')?.body.toString()).toContain(String(wire.backend.pid))
  })

  it('a refusal is a FATAL with its code', async () => {
    const client = await WireClient.open(stage.gateway.port)
    client.send(startup({ user: 'robot', database: 'shop', replication: 'true' }))
    const answers = await client.until('E')
    expect(fields(answers.at(-1)?.body ?? Buffer.alloc(0))).toMatchObject({ S: 'FATAL' })
    expect(await client.gone()).toBe(true)
  })
})
