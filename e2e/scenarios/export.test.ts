// The record out of the gateway: every event once, gone on with from any place, through a pipe that closes, and nothing secret in it.

import { createHash, hkdfSync } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkout, run } from '../backends/programs.js'
import { psql, waitFor } from '../backends/psql.js'
import { plantedTexts, spellings } from '../backends/samples.js'
import { openStage, type Stage } from '../backends/shop.js'

interface Line {
  readonly type: string
  readonly cursor: string
  readonly at: string
  readonly session: string
  readonly statement?: number
  readonly text?: string
  readonly identity: string
  readonly ruling?: { readonly kind: string } | null
}

interface Session {
  readonly id: string
  readonly statementList: readonly {
    readonly id: number
    readonly text: string
    readonly ruling: { readonly forwarded: string | null } | null
  }[]
}

const directory = mkdtempSync(join(tmpdir(), 'sallyport-export-'))
let stage: Stage
let password = ''

async function exported(...args: readonly string[]): Promise<readonly Line[]> {
  const { code, stdout, stderr } = await stage.gateway.cli(['export', ...args])
  expect(code, stderr).toBe(0)
  return stdout.split('\n').flatMap((line): Line[] => (line === '' ? [] : [JSON.parse(line)]))
}

beforeAll(async () => {
  stage = await openStage({
    rules: `  - { name: names, where: { targets: [shop] }, what: { columns: ["*.customers.name"] }, then: mask, with: hash }\n`,
  })
  const url = await stage.gateway.url('robot', 'shop')
  password = new URL(url).password
  await psql(url, `select name, email, ssn, salary from customers;\ndrop table orders;\nselect 1/0;`)
  await psql(await stage.gateway.url('second', 'plain'), Array.from({ length: 250 }, (_, n) => `select ${n};`).join('\n'))
  // The end of a session is recorded a moment after its client has gone.
  const over = async (): Promise<true | undefined> =>
    (await stage.gateway.json<readonly unknown[]>('sessions', 'list', '--live')).length === 0 ? true : undefined
  await waitFor(over, 10_000, () => 'the sessions to end')
})

afterAll(async () => {
  await stage.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('the record as lines', () => {
  it('holds each session and each of its statements once, in the order of time', async () => {
    const lines = await exported()
    expect(new Set(lines.map(({ cursor }) => cursor)).size).toBe(lines.length)
    expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).toSorted())
    const sessions = await stage.gateway.json<readonly { readonly id: string }[]>('sessions', 'list')
    for (const type of ['session.began', 'session.ended'])
      expect(
        lines
          .filter((line) => line.type === type)
          .map(({ session }) => session)
          .toSorted(),
      ).toEqual(sessions.map(({ id }) => id).toSorted())
    for (const { id } of sessions) {
      const { statementList } = await stage.gateway.json<Session>('sessions', 'show', id)
      const found = lines.filter((line) => line.type === 'statement' && line.session === id)
      expect(found.map(({ statement, text }) => [statement, text])).toEqual(statementList.map((each) => [each.id, each.text]))
    }
  })

  it('is narrowed', async () => {
    const robot = await exported('--identity', 'robot', '--target', 'shop', '--since', '1h')
    expect(new Set(robot.map(({ identity }) => identity))).toEqual(new Set(['robot']))
    expect(robot.map(({ ruling }) => ruling?.kind)).toEqual(expect.arrayContaining(['mask', 'deny', 'allow']))
    expect(await exported('--until', '1h')).toEqual([])
    const own = await stage.gateway.cli(['export'], { as: password })
    expect(own.stdout).not.toContain('"second"')
    expect(own.stdout).toContain('"robot"')
  })

  it('goes on from any line, and from the cursor it kept', async () => {
    const all = await exported()
    const middle = all[120]?.cursor ?? ''
    expect(await exported('--after', middle, '--until', '2099-01-01')).toEqual(all.slice(121))
    const file = join(directory, 'cursor')
    expect(await exported('--cursor', file, '--until', all[100]?.at ?? '')).toHaveLength(
      all.filter(({ at }) => at < (all[100]?.at ?? '')).length,
    )
    expect(existsSync(file)).toBe(true)
    const rest = await exported('--cursor', file, '--until', '2099-01-01')
    expect(rest.at(-1)).toEqual(all.at(-1))
    expect(await exported('--cursor', file, '--until', '2099-01-01')).toEqual([])
    // What may still be under way is left for later.
    expect(await exported('--after', middle)).toEqual([])
  })

  it('ends in order where its reader has enough, and says what is wrong with a cursor', async () => {
    const entry = join(checkout, 'packages', 'cli', 'bin', 'sallyport.js')
    const env = { SALLYPORT_HOME: stage.gateway.home }
    const piped = await run('bash', ['-c', `set -o pipefail; "${entry}" export | head -2`], { env })
    expect([piped.code, piped.stdout.split('\n').length, piped.stderr]).toEqual([0, 3, ''])
    const bad = await stage.gateway.cli(['export', '--after', 'yesterday'])
    expect([bad.code, bad.stdout]).toEqual([1, ''])
    expect(bad.stderr).toContain('yesterday is no cursor')
    expect((await stage.gateway.cli(['export', '--format', 'xml'])).code).toBe(2)
    expect((await stage.gateway.cli(['export', '--after', '1/1/s', '--cursor', 'f'])).code).toBe(2)
  })
})

describe('what is in it', () => {
  it('has the classes of OCSF', async () => {
    const { stdout } = await stage.gateway.cli(['export', '--format', 'ocsf', '--identity', 'robot'])
    const events = stdout.split('\n').flatMap((line): Record<string, unknown>[] => (line === '' ? [] : [JSON.parse(line)]))
    expect(events.map(({ type_uid: type }) => type)).toEqual([300_201, 600_504, 600_599, 600_599, 300_202])
    expect(events.map(({ action_id: action }) => action)).toEqual([undefined, 4, 2, 1, undefined])
    expect(events[1]).toMatchObject({ actor: { user: { name: 'robot' } }, table: { name: 'public.customers' } })
    expect(events[3]).toMatchObject({ status_id: 2, status_detail: expect.stringContaining('22012') })
  })

  it('is no credential, no masked value, and not what hashes are made with', async () => {
    const outputs = await Promise.all([
      stage.gateway.cli(['export']),
      stage.gateway.cli(['export', '--format', 'ocsf']),
      stage.gateway.cli(['sessions', 'list', '--json']),
    ])
    const [robot] =
      (await stage.gateway.json<readonly { id: string; identity: string }[]>('sessions', 'list', '--identity', 'robot')) ?? []
    const shown = await stage.gateway.json<Session>('sessions', 'show', robot?.id ?? '')
    const forwarded = shown.statementList.map(({ ruling }) => ruling?.forwarded ?? '').join('\n')
    expect(forwarded).toContain("'salt'")
    const key = Buffer.from(readFileSync(join(stage.gateway.home, 'keys', 'installation.key'), 'utf8').trim(), 'hex')
    const salt = Buffer.from(hkdfSync('sha256', key, '', 'sallyport hash masks', 32)).toString('hex')
    const secret = [
      key.toString('hex'),
      salt,
      password,
      stage.gateway.adminToken(),
      createHash('sha256').update(password).digest('hex'),
    ]
    const said = [...outputs.map(({ stdout }) => stdout), JSON.stringify(shown)].join('\n')
    for (const text of [...secret, ...plantedTexts.flatMap(spellings)]) expect(said.includes(text), text).toBe(false)
  })
})
