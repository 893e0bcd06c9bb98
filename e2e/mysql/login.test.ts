// Logging in: every way a client may show who it is, every way the target may ask for the stored credential, and what is refused.

import { createConnection as rawConnect } from 'node:net'
import { createConnection } from 'mysql2/promise'
import type { ConnectionOptions, RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onMysql } from '../backends/mysql-server.js'
import { openMysqlStage, type MysqlStage } from '../backends/mysql-stage.js'
import { lacks } from '../backends/programs.js'

describe.skipIf(lacks('mariadbd'))('a MySQL login', () => {
  let stage: MysqlStage

  beforeAll(async () => {
    stage = await openMysqlStage()
  })

  afterAll(() => stage.close())

  const errorOf = async (options: ConnectionOptions): Promise<{ code: string; message: string }> => {
    try {
      const connection = await createConnection({ host: '127.0.0.1', port: stage.gateway.mysqlPort, ...options })
      await connection.end()
    } catch (error) {
      return error as { code: string; message: string }
    }
    throw new Error('it was let in')
  }

  const one = async (options: ConnectionOptions, target = 'shop'): Promise<unknown> => {
    const client = await stage.client('robot', target, options)
    const [rows] = await client.query<RowDataPacket[]>('select 40 + 2 as answer')
    return rows[0]?.['answer']
  }

  it('by caching_sha2_password, in clear and under TLS', async () => {
    expect(await one({})).toBe(42)
    expect(await one({ ssl: { rejectUnauthorized: false } })).toBe(42)
  })

  it('by mysql_native_password, by the mariadb client with its own plugin', async () => {
    const told = await stage.mariadb('robot', 'shop', 'select 40 + 2;', ['--default-auth=mysql_native_password'])
    expect(told.stderr).toBe('')
    expect(told.stdout).toContain('42')
    expect((await stage.mariadb('robot', 'shop', 'select 40 + 2;', ['--ssl'])).stdout).toContain('42')
  })

  it('by the token in clear, under TLS or on loopback', async () => {
    const plugin = '--default-auth=mysql_clear_password'
    for (const tls of ['--ssl', '--skip-ssl']) {
      const told = await stage.mariadb('robot', 'shop', 'select 40 + 2;', [plugin, tls])
      expect(told.stderr).toBe('')
      expect(told.stdout).toContain('42')
    }
  })

  it('at a target whose password is checked by client_ed25519, and over verified TLS', async () => {
    expect(await one({}, 'root')).toBe(42)
    const [row] = (await onMysql(
      stage.facts,
      'select count(*) n from information_schema.processlist where user = "app_ed25519"',
    )) as RowDataPacket[]
    expect(row?.['n']).toBeGreaterThan(0)
  })

  it('with the target in the user name', async () => {
    const password = await stage.token('robot')
    const options = { host: '127.0.0.1', port: stage.gateway.mysqlPort, user: 'robot:shop', password }
    const client = await createConnection(options)
    const [rows] = await client.query<RowDataPacket[]>('select database() as d')
    expect(rows[0]?.['d']).toBe(stage.database)
    await client.end()
  })

  it('through the port that tells protocols apart: silence means MySQL', async () => {
    const began = Date.now()
    expect(await one({ port: stage.gateway.autoPort })).toBe(42)
    expect(Date.now() - began).toBeLessThan(3000)
  })

  it('is refused alike for a wrong token, an unknown user, no token and no grant', async () => {
    const password = await stage.token('robot')
    const wrong = await errorOf({ user: 'robot', password: 'sp_wrong', database: 'shop' })
    const unknown = await errorOf({ user: 'nobody', password: 'sp_wrong', database: 'shop' })
    const none = await errorOf({ user: 'robot', password: '', database: 'shop' })
    for (const refusal of [wrong, unknown, none]) {
      expect(refusal.code).toBe('ER_ACCESS_DENIED_ERROR')
      expect(refusal.message).toBe(wrong.message)
    }
    const guest = await errorOf({ user: 'guest', password: await stage.token('guest'), database: 'shop' })
    const absent = await errorOf({ user: 'robot', password, database: 'nowhere' })
    expect(guest.message).toContain('no target shop for guest')
    expect(absent.message).toContain('no target nowhere for robot')
    expect((await errorOf({ user: 'robot', password })).message).toContain('IDENTITY:TARGET')
  })

  it('says nothing of the stored credential where the target refuses it', async () => {
    await onMysql(stage.facts, "alter user app_reader identified via mysql_native_password using password('another')")
    const refusal = await errorOf({ user: 'robot', password: await stage.token('robot'), database: 'wrong' })
    expect(refusal.message).toContain('target wrong refused the stored login (error 1045)')
    expect(refusal.message).not.toContain('app_reader')
  })

  it('ends with bytes sent ahead of TLS, and with noise', async () => {
    for (const noise of [
      Buffer.from('200000018588a21e00000040210000000000000000000000000000000000000000000000414243', 'hex'),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(300, 0xff),
    ]) {
      const socket = rawConnect(stage.gateway.mysqlPort, '127.0.0.1')
      socket.once('data', () => socket.write(noise))
      socket.on('error', () => undefined)
      await new Promise((done) => socket.once('close', done).resume())
    }
    expect(await one({})).toBe(42)
  })
})
