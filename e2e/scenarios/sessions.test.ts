// Live sessions: cut at once when they must end, and cancelled statement by statement.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks } from '../backends/programs.js'
import { openPsql, waitFor } from '../backends/psql.js'
import { inRecords } from '../backends/records.js'
import { openStage, type Stage } from '../backends/shop.js'
import { fields, int32, message, query, WireClient, type Message } from '../backends/wire-client.js'

let stage: Stage

beforeAll(async () => {
  stage = await openStage({ rest: 'operators: { endSessions: [dba] }\n' })
})

afterAll(() => stage.close())

const types = (answers: readonly Message[]): string => answers.map(({ type }) => type).join('')

interface Listed {
  readonly id: string
  readonly identity: string
  readonly outcome: string | null
}

const live = (): Promise<readonly Listed[]> => stage.gateway.json('sessions', 'list', '--live')

/** What a client that is cut is told last. */
async function lastWords(wire: WireClient): Promise<Readonly<Record<string, string>>> {
  const answers = await wire.until('nothing', 10_000)
  expect(await wire.gone()).toBe(true)
  const error = answers.findLast(({ type }) => type === 'E')
  return error === undefined ? {} : fields(error.body)
}

describe('a live session is cut at once', () => {
  it('by `sessions end`, idle or in the middle of a statement', async () => {
    for (const busy of [false, true]) {
      const wire = await stage.wire('robot', 'shop')
      const { pid } = wire.backend
      const [session] = await live()
      if (busy) wire.send(query('select pg_sleep(60)'))
      await wait(300)
      const began = Date.now()
      expect((await stage.gateway.cli(['sessions', 'end', session?.id ?? '', '--reason', 'for a test'])).code).toBe(0)
      expect(await lastWords(wire)).toMatchObject({ S: 'FATAL', C: '57P01', M: expect.stringContaining('for a test') })
      expect(Date.now() - began).toBeLessThan(5000)
      const others = await stage.wire('second', 'plain')
      const closed = async (): Promise<true | undefined> => {
        const answers = await others.ask(`select 1 from pg_stat_activity where pid = ${pid}`)
        return answers.some(({ type }) => type === 'D') ? undefined : true
      }
      await waitFor(closed, 10_000, () => 'the connection to the server to be closed')
      others.close()
    }
  })

  it('by those who may end it: operators of such a group, the person it was opened for, its own identity', async () => {
    const as = async (who: string): Promise<string> => stage.gateway.token(who)
    const end = async (id: string, who: string): Promise<readonly [number | null, string]> => {
      const { code, stderr } = await stage.gateway.cli(['sessions', 'end', id], { as: await as(who) })
      return [code, stderr]
    }
    const open = async (...behalf: readonly string[]): Promise<{ readonly wire: WireClient; readonly id: string }> => {
      const before = new Set((await live()).map(({ id }) => id))
      const password = await stage.gateway.token('robot', ...behalf)
      const wire = await WireClient.login({ port: stage.gateway.port, user: 'robot', password, database: 'shop' })
      const [opened] = (await live()).filter(({ id }) => !before.has(id))
      return { wire, id: opened?.id ?? '' }
    }
    const first = await open('--on-behalf-of', 'guest')
    // To who may not see it, it is not there at all.
    expect(await end(first.id, 'stranger')).toEqual([1, expect.stringContaining('there is no session')])
    expect(await end(first.id, 'guest')).toEqual([0, expect.stringContaining('is cut')])
    expect(await first.wire.gone()).toBe(true)
    for (const who of ['ann', 'robot']) {
      const { wire, id } = await open()
      expect(await end(id, 'guest')).toEqual([1, expect.stringContaining('there is no session')])
      expect(await end(id, who)).toEqual([0, expect.stringContaining('is cut')])
      expect(await wire.gone()).toBe(true)
      const over = async (): Promise<true | undefined> => ((await live()).some((each) => each.id === id) ? undefined : true)
      await waitFor(over, 10_000, () => 'the end of the session to be on record')
      expect(await end(id, who)).toEqual([1, expect.stringContaining('is over already')])
    }
    await stage.gateway.logged(/"session":"\w+","by":"ann"/)
  })

  it('by `token revoke`, and only those of that token', async () => {
    const before = new Set((await stage.gateway.json<readonly { id: string }[]>('token', 'list')).map(({ id }) => id))
    const password = await stage.gateway.token('robot')
    const made = (await stage.gateway.json<readonly { id: string }[]>('token', 'list')).find(({ id }) => !before.has(id))
    const login = { port: stage.gateway.port, user: 'robot', database: 'shop' }
    const doomed = await WireClient.login({ ...login, password })
    const other = await stage.wire('robot', 'shop')
    expect((await stage.gateway.cli(['token', 'revoke', made?.id ?? ''])).code).toBe(0)
    expect(await lastWords(doomed)).toMatchObject({ S: 'FATAL', C: '57P01' })
    expect(types(await other.ask('select 1'))).toBe('TDCZ')
    await expect(WireClient.login({ ...login, password })).rejects.toThrow(/./)
    other.close()
  })

  it('when its token expires', async () => {
    const password = await stage.gateway.token('robot', '--ttl', '1m')
    await inRecords(
      stage.gateway.home,
      `update sallyport.tokens set expires_at = now() + interval '4 seconds' where created_at = (select max(created_at) from sallyport.tokens)`,
    )
    const doomed = await WireClient.login({ port: stage.gateway.port, user: 'robot', database: 'shop', password })
    expect(types(await doomed.ask('select 1'))).toBe('TDCZ')
    expect(await lastWords(doomed)).toMatchObject({ S: 'FATAL' })
  })

  it('when its grant is removed by `apply`', async () => {
    const doomed = await stage.wire('ann', 'plain')
    const stays = await stage.wire('robot', 'plain')
    const file = join(stage.gateway.home, '..', 'sallyport.yaml')
    const written = readFileSync(file, 'utf8')
    writeFileSync(file, written.replace('groups: [agents, dba], targets', 'groups: [agents], targets'))
    expect(await stage.gateway.cli(['apply', '-f', file])).toMatchObject({ code: 0 })
    expect(await lastWords(doomed)).toMatchObject({ S: 'FATAL' })
    expect(types(await stays.ask('select 1'))).toBe('TDCZ')
    await expect(stage.wire('ann', 'plain')).rejects.toThrow(/./)
    writeFileSync(file, written)
    expect(await stage.gateway.cli(['apply', '-f', file])).toMatchObject({ code: 0 })
    expect(types(await (await stage.wire('ann', 'plain')).ask('select 1'))).toBe('TDCZ')
    stays.close()
  })

  it('when the gateway is stopped, which takes seconds', async () => {
    const own = await openStage()
    const idle = await own.wire('robot', 'shop')
    const busy = await own.wire('robot', 'shop')
    busy.send(query('select pg_sleep(60)'))
    const began = Date.now()
    expect(await own.gateway.stop()).toBe(0)
    expect(Date.now() - began).toBeLessThan(15_000)
    expect(await lastWords(idle)).toMatchObject({ S: 'FATAL', C: '57P01' })
    expect(await lastWords(busy)).toMatchObject({ S: 'FATAL', C: '57P01' })
    await own.close()
  })
})

describe('cancel', () => {
  const sleeping = async (wire: WireClient): Promise<number> => {
    const answers = await wire.ask(
      `select count(*) from pg_stat_activity where query like '%pg_sleep(45)%' and pid <> pg_backend_pid() and state = 'active'`,
    )
    return Number(
      answers
        .find(({ type }) => type === 'D')
        ?.body.subarray(6)
        .toString(),
    )
  }

  it.skipIf(lacks('psql'))('by Ctrl-C reaches that statement only', async () => {
    const prompt = openPsql(await stage.gateway.url('robot', 'plain'))
    const bystander = await stage.wire('second', 'plain')
    const watcher = await stage.wire('second', 'plain')
    prompt.say('select pg_sleep(45);')
    bystander.send(query('select pg_sleep(45)'))
    await waitFor(
      async () => ((await sleeping(watcher)) === 2 ? true : undefined),
      10_000,
      () => 'both to sleep',
    )
    prompt.interrupt()
    await prompt.until(/ERROR:\s+57014/)
    expect(await sleeping(watcher)).toBe(1)
    await prompt.end()
    bystander.close()
  })

  it('with a wrong key reaches nothing, and one that comes late hits nothing that follows', async () => {
    const wire = await stage.wire('robot', 'plain')
    wire.send(query('select pg_sleep(2)'))
    await wire.cancel(Buffer.from(wire.backend.secret.map((byte) => byte ^ 0xff)))
    expect(types(await wire.until('Z'))).toBe('TDCZ')
    for (let times = 0; times < 30; times++) {
      const late = wire.cancel()
      wire.send(query('select 1'))
      expect(types(await wire.until('Z'))).toMatch(/^(TDC|E|TE)Z$/)
      await late
      expect(types(await wire.ask('select 2'))).toBe('TDCZ')
    }
  })

  it('works over TLS, and the connection goes on', async () => {
    const wire = await stage.wire('robot', 'plain')
    wire.send(query('select pg_sleep(45)'))
    await wait(500)
    const socket = connect({ port: stage.gateway.port, host: '127.0.0.1' })
    await new Promise((done) => socket.once('connect', done))
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))
    const answer = await new Promise<Buffer>((done) => socket.once('data', done))
    expect(answer.toString()).toBe('S')
    const { connect: connectTls } = await import('node:tls')
    const secure = connectTls({ socket, rejectUnauthorized: false })
    await new Promise((done, fail) => secure.once('secureConnect', done).once('error', fail))
    secure.write(message('', int32(80877102), int32(wire.backend.pid), wire.backend.secret))
    expect(types(await wire.until('Z'))).toMatch(/EZ$/)
    expect(types(await wire.ask('select 1'))).toBe('TDCZ')
    secure.destroy()
  })
})
