// The record out of the gateway: every event once, gone on with from any place, through a pipe that closes, and nothing secret in it.

import { createHash, generateKeyPairSync, hkdfSync } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

describe('evidence', () => {
  const file = join(directory, 'evidence.jsonl')
  const verify = (...args: readonly string[]) => {
    const entry = join(checkout, 'packages', 'cli', 'bin', 'sallyport.js')
    // Nothing of the gateway is there: neither its home nor its address.
    return run(entry, ['verify', '--file', file, ...args], { env: { SALLYPORT_HOME: join(directory, 'nowhere') } })
  }
  const pin = (): string => join(stage.gateway.home, 'keys', 'node.pub')

  it('of sessions is proved away from the gateway, by a pinned key or told by which', async () => {
    const sessions = await stage.gateway.json<readonly { readonly id: string }[]>('sessions', 'list')
    const { stdout, code } = await stage.gateway.cli(['export', '--format', 'evidence'])
    expect(code).toBe(0)
    for (const text of [password, stage.gateway.adminToken(), ...plantedTexts.flatMap(spellings)])
      expect(stdout.includes(text)).toBe(false)
    writeFileSync(file, stdout)
    const pinned = await verify('--key', pin())
    expect([pinned.code, pinned.stderr]).toEqual([0, ''])
    for (const { id } of sessions) expect(pinned.stdout).toContain(`whole: session ${id}`)
    const own = await verify()
    expect([own.code, own.stderr]).toEqual([0, expect.stringContaining(readFileSync(pin(), 'utf8').trim())])
    expect((await verify('--key', pin(), '--session', sessions[0]?.id ?? '')).code).toBe(0)
    const missing = await verify('--key', pin(), '--session', 'another')
    expect([missing.code, missing.stdout]).toEqual([1, expect.stringMatching(/^missing: session another.*is not in the file$/m)])
    const json = JSON.parse((await verify('--key', pin(), '--json')).stdout) as {
      readonly whole: boolean
      readonly sessions: readonly unknown[]
    }
    expect([json.whole, json.sessions.length]).toEqual([true, sessions.length])
  })

  it('that was altered exits 1 and says where', async () => {
    const [robot] = await stage.gateway.json<readonly { readonly id: string }[]>('sessions', 'list', '--identity', 'robot')
    const title = { evidence: 'sallyport-evidence-1' }
    writeFileSync(file, `${JSON.stringify(title)}\n{"end":{"sessions":0}}\n`)
    expect(await verify('--key', pin())).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^missing: sessions: there is none/),
    })
    const own = await stage.gateway.cli(['export', '--format', 'evidence', '--session', robot?.id ?? ''], { as: password })
    writeFileSync(file, own.stdout)
    expect((await verify('--key', pin())).code).toBe(0)
    writeFileSync(file, own.stdout.replace('drop table orders', 'drop table others'))
    const altered = await verify('--key', pin())
    expect([altered.code, altered.stdout]).toEqual([1, expect.stringMatching(/^altered: session \w+, statement 2: .*text\n$/)])
    writeFileSync(file, own.stdout.replace('"name":"robot"', '"name":"second"'))
    const given = await verify('--key', pin())
    expect([given.code, given.stdout]).toEqual([1, expect.stringMatching(/^altered: session \w+, session row: .*identity\n$/)])
    writeFileSync(file, own.stdout.split('\n').slice(0, -3).join('\n'))
    expect((await verify('--key', pin())).code).toBe(1)
    writeFileSync(file, own.stdout)
    const other = join(directory, 'other.pub')
    writeFileSync(other, generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }))
    expect(await verify('--key', other)).toMatchObject({ code: 1, stdout: expect.stringContaining('nobody knows the key') })
  })

  it('is refused of open sessions, of others’, and for what is none', async () => {
    const client = await stage.client('second', 'plain')
    await client.query('select 1')
    const [open] = await stage.gateway.json<readonly { readonly id: string }[]>('sessions', 'list', '--live')
    const refused = await stage.gateway.cli(['export', '--format', 'evidence', '--session', open?.id ?? ''])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('is open')])
    const others = await stage.gateway.cli(['export', '--format', 'evidence', '--session', open?.id ?? ''], { as: password })
    expect([others.code, others.stderr]).toEqual([1, expect.stringContaining('there is no session')])
    writeFileSync(file, 'something else')
    expect(await verify()).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('is no evidence') })
    expect((await verify('--all')).code).toBe(2)
    expect((await stage.gateway.cli(['verify', '--key', pin()])).code).toBe(2)
    expect((await stage.gateway.cli(['verify', '--session', 'x'])).code).toBe(2)
    expect((await stage.gateway.cli(['export', '--session', 'x'])).code).toBe(2)
  })
})
