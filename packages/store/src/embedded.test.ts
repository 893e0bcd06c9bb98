// The embedded server's life: made, stopped, adopted, refused.

import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client } from 'pg'
import { afterAll, expect, it } from 'vitest'
import { Misconfigured } from '@sallyport/core'
import { startEmbedded } from './embedded.js'
import type { EmbeddedPostgres } from './embedded.js'
import { readPostmaster } from './postmaster.js'

const log = (): void => undefined
const made: string[] = []

/** Passable, so that the server finds its files also where tests run as root. */
function fresh(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-db-'))
  chmodSync(directory, 0o711)
  made.push(directory)
  return directory
}

afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

async function ask(embedded: EmbeddedPostgres, query: string): Promise<unknown> {
  const client = new Client(embedded.connection)
  await client.connect()
  try {
    const { rows } = await client.query<Record<string, unknown>>(query)
    return Object.values(rows[0] ?? {})[0]
  } finally {
    await client.end()
  }
}

it('starts, keeps its data, and refuses a second gateway', async () => {
  const directory = fresh()
  const first = await startEmbedded({ directory, log })
  await ask(first, 'create table kept as select 42 as answer')
  expect(await ask(first, 'show data_checksums')).toBe('on')
  expect(await ask(first, 'show server_encoding')).toBe('UTF8')
  expect(await ask(first, 'show listen_addresses')).toBe('')
  expect(statSync(first.connection.host).mode & 0o777).toBe(0o700)
  await expect(startEmbedded({ directory, log })).rejects.toThrow(/in use by process/)
  const wrong = new Client({ ...first.connection, password: 'wrong' })
  await expect(wrong.connect()).rejects.toThrow(/password/)
  await first.stop()
  expect(readPostmaster(join(directory, 'data'))).toBeUndefined()
  const second = await startEmbedded({ directory, log })
  expect(second.adopted).toBe(false)
  expect(await ask(second, 'select answer from kept')).toBe(42)
  await second.stop()
}, 60_000)

it('starts again when the server dies', async () => {
  const embedded = await startEmbedded({ directory: fresh(), log })
  const before = embedded.pid()
  process.kill(before, 'SIGKILL')
  await expect.poll(() => embedded.pid() !== before, { timeout: 15_000 }).toBe(true)
  expect(await ask(embedded, 'select 1')).toBe(1)
  await embedded.stop()
}, 60_000)

it('adopts the server of a gateway that was killed, and a stale mark is no server', async () => {
  const directory = fresh()
  const built = pathToFileURL(join(import.meta.dirname, '../dist/embedded.js')).href
  const program = `import { startEmbedded } from '${built}'
    const { pid } = await startEmbedded({ directory: ${JSON.stringify(directory)}, log() {} })
    console.log(pid())
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const said = await new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())))
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  const adopted = await startEmbedded({ directory, log })
  expect([adopted.adopted, adopted.pid()]).toEqual([true, Number(said)])
  expect(await ask(adopted, 'select 1')).toBe(1)
  process.kill(adopted.pid(), 'SIGINT')
  await expect.poll(() => adopted.pid() !== Number(said), { timeout: 15_000 }).toBe(true)
  await adopted.stop()
  writeFileSync(
    join(directory, 'data', 'postmaster.pid'),
    `${process.pid}\n${directory}/data\n1\n5432\n/nowhere\n\n 1 1\nready   \n`,
  )
  const again = await startEmbedded({ directory, log })
  expect(again.adopted).toBe(false)
  await again.stop()
}, 60_000)

it('finds a short place for its socket below a long directory', async () => {
  const directory = join(fresh(), 'd'.repeat(60), 'e'.repeat(60))
  mkdirSync(directory, { recursive: true })
  const embedded = await startEmbedded({ directory, log })
  expect(embedded.connection.host.startsWith(tmpdir())).toBe(true)
  expect(readFileSync(join(directory, 'socket-directory'), 'utf8').trim()).toBe(embedded.connection.host)
  expect(await ask(embedded, 'select 1')).toBe(1)
  await embedded.stop()
}, 60_000)

it('refuses the data of another version, and data whose password is gone', async () => {
  const directory = fresh()
  mkdirSync(join(directory, 'data'))
  await expect(startEmbedded({ directory, log })).rejects.toThrow(/password is gone/)
  writeFileSync(join(directory, 'password'), 'x')
  writeFileSync(join(directory, 'data', 'PG_VERSION'), '9\n')
  await expect(startEmbedded({ directory, log })).rejects.toThrow(/made by PostgreSQL 9/)
  await expect(startEmbedded({ directory, log })).rejects.toThrow(Misconfigured)
  expect(existsSync(join(directory, 'lock'))).toBe(false)
})
