// When something we depend on is gone: sessions end or wait with a clear word; nothing goes on unrecorded.

import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { startPostgres, type PostgresServer } from '../backends/postgres.js'
import { run } from '../backends/programs.js'
import { signalEmbedded } from '../backends/records.js'
import { openStage, server, targetYaml, type Stage } from '../backends/shop.js'
import { settledStatements } from '../backends/statement-log.js'
import { fields, query, type Message } from '../backends/wire-client.js'
import { psql, waitFor } from '../backends/psql.js'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function openOwn(options: Parameters<typeof openStage>[0] = {}): Promise<Stage> {
  const stage = await openStage(options)
  cleanups.push(() => stage.close())
  return stage
}

async function ownServer(): Promise<PostgresServer> {
  const own = await startPostgres(inject('postgres')[0]?.kind ?? 'embedded')
  cleanups.push(() => own.stop())
  return own
}

const types = (answers: readonly Message[]): string => answers.map(({ type }) => type).join('')

describe('the target', () => {
  it('that goes away ends its sessions with a word, and can be reached again when it is back', async () => {
    const own = await ownServer()
    const stage = await openOwn({ targets: () => targetYaml('frail', own.facts, 'postgres') })
    const wire = await stage.wire('robot', 'frail')
    const other = await stage.wire('robot', 'plain')
    wire.send(query('select pg_sleep(60)'))
    await wait(300)
    await own.stop()
    const answers = await wire.until('nothing')
    expect(fields(answers.findLast(({ type }) => type === 'E')?.body ?? Buffer.alloc(0))).toMatchObject({ S: 'FATAL' })
    expect(types(await other.ask('select 1'))).toBe('TDCZ')
    const late = await psql(await stage.gateway.url('robot', 'frail'), 'select 1;')
    expect(late).toMatchObject({ code: 2, stdout: '' })
    expect(late.stderr).toContain('frail')
    expect(late.stderr).not.toContain('stored-credential')
  })

  it('whose server process dies under a session ends that session only', async () => {
    const stage = await openOwn()
    const wire = await stage.wire('robot', 'shop')
    const other = await stage.wire('robot', 'plain')
    const killer = await stage.wire('ann', 'plain')
    expect(types(await killer.ask(`select pg_terminate_backend(${wire.backend.pid})`))).toBe('TDCZ')
    const answers = await wire.until('nothing')
    expect(fields(answers.findLast(({ type }) => type === 'E')?.body ?? Buffer.alloc(0))).toMatchObject({ C: '57P01' })
    expect(await wire.gone()).toBe(true)
    expect(types(await other.ask('select 1'))).toBe('TDCZ')
  })
})

describe('the database of the records', () => {
  it('that is gone under durability database stops the statement before it runs', async () => {
    const stage = await openOwn({
      targets: (database) => targetYaml('strict', server(), database, 'tls: "off"\n    durability: database'),
    })
    const wire = await stage.wire('robot', 'strict')
    expect(types(await wire.ask('select 1'))).toBe('TDCZ')
    signalEmbedded(stage.gateway.home, 'SIGSTOP')
    try {
      wire.send(query(`select 'must not run unrecorded'`))
      await wait(3000)
      const ran = await settledStatements(stage.facts, stage.database)
      expect(ran.filter(({ text }) => text.includes('must not run unrecorded'))).toEqual([])
    } finally {
      signalEmbedded(stage.gateway.home, 'SIGCONT')
    }
    expect(types(await wire.until('Z'))).toBe('TDCZ')
    const ran = await settledStatements(stage.facts, stage.database)
    expect(ran.filter(({ text }) => text.includes('must not run unrecorded'))).toHaveLength(1)
  })

  it('that is killed comes back, and what was recorded meanwhile arrives', async () => {
    const stage = await openOwn()
    const wire = await stage.wire('robot', 'plain')
    await wire.ask(`select 'before it died'`)
    signalEmbedded(stage.gateway.home, 'SIGKILL')
    for (let n = 0; n < 20; n++) {
      expect(types(await wire.ask(`select 'while it was gone ${n}'`))).toBe('TDCZ')
      await wait(50)
    }
    wire.close()
    const arrived = async (): Promise<true | undefined> => {
      const result = await stage.gateway.cli(['search', 'while it was gone 19', '--json'])
      return result.code === 0 && result.stdout.includes('while it was gone 19') ? true : undefined
    }
    await waitFor(arrived, 30_000, () => 'the statements to arrive in the record')
    expect(await stage.gateway.cli(['verify', '--all'])).toMatchObject({ code: 0 })
  })

  it('that cannot be used at all stops the gateway from starting, in one clear line', async () => {
    const rest = 'database: postgresql://nobody:${URL_PASSWORD}@127.0.0.1:1/none'
    const started = openStage({ rest, env: { URL_PASSWORD: 'hunter2-url' } })
    await expect(started).rejects.toThrow(/127\.0\.0\.1:1/)
    await expect(started).rejects.not.toThrow(/hunter2-url/)
  })
})

describe('a spool that cannot be written', () => {
  it('ends sessions and lets none in', async () => {
    const stage = await openOwn()
    const wire = await stage.wire('robot', 'plain')
    expect(types(await wire.ask('select 1'))).toBe('TDCZ')
    // A limit on file size is the nearest thing to a full disk that a process can be given from outside.
    const limited = await run('prlimit', ['--pid', String(stage.gateway.pid()), '--fsize=4096:4096'])
    expect(limited.code).toBe(0)
    wire.send(query(`select repeat('x', 200000) /* fills it */`))
    await wire.until('Z', 10_000)
    wire.send(query(`select 'after the disk was full'`))
    await wait(2000)
    const ran = await settledStatements(stage.facts, stage.database)
    expect(ran.filter(({ text }) => text.includes('after the disk was full'))).toEqual([])
    await expect(stage.wire('robot', 'plain')).rejects.toThrow(/the spool cannot be written/)
  })
})
