// Every command as a person and as a script runs it, right and wrong: plain and `--json`, exit codes, results on stdout and all else on stderr.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { tmpdir } from 'node:os'
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkout, type RunResult } from '../backends/programs.js'
import { psql, waitFor } from '../backends/psql.js'
import { decide, openReview } from '../backends/reviews.js'
import { openStage, type Stage } from '../backends/shop.js'

const directory = mkdtempSync(join(tmpdir(), 'sallyport-commands-'))
let stage: Stage
let session = ''
let review = ''

const cli = (...args: readonly string[]): Promise<RunResult> => stage.gateway.cli(args)

function write(name: string, text: string): string {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

beforeAll(async () => {
  stage = await openStage()
  const waiting = psql(
    await stage.gateway.url('robot', 'shop'),
    'update orders set total = total;\nselect email from customers;\ndrop table orders;',
  )
  review = (await openReview(stage.gateway, 'set total')).id
  await decide(stage.gateway, 'approve', review, 'ann')
  await waiting
  const ended = async (): Promise<string | undefined> => {
    const listed = await stage.gateway.json<readonly { readonly id: string; readonly endedAt: string | null }[]>('sessions', 'list')
    return listed.find(({ endedAt }) => endedAt !== null)?.id
  }
  session = await waitFor(ended, 10_000, () => 'the session to end')
})

afterAll(async () => {
  await stage.close()
  rmSync(directory, { recursive: true, force: true })
})

/** What stands in a place is filled in once it is known. */
const filled = (args: readonly string[]): readonly string[] =>
  args.map((arg) => arg.replace('SESSION', session).replace('REVIEW', review).replace('HOME', stage.gateway.home))

describe('what works exits 0, and says it plainly and as JSON', () => {
  it.each<readonly [readonly string[], RegExp]>([
    [['whoami'], /^admin \(admin; may read and end every session\)\n$/],
    [['status'], /^node .*\n(?:.*\n)*database {3}embedded, healthy\n/],
    [['ca'], /BEGIN CERTIFICATE/],
    [['ca', '--ssh'], /^@cert-authority .* ssh-ed25519 /],
    [['targets'], /^shop\tpostgres\t.*postgresql:\/\//m],
    [['targets', 'schema', 'shop'], /"protocol": "postgres"/],
    [['token', 'list'], /\tann\t/],
    [['token', 'create', 'guest', '--ttl', '15m'], /^(?:sp_|\{)/],
    [['reviews'], /approved/],
    [['reviews', 'list', '--state', 'approved'], /update orders/],
    [['reviews', 'show', 'REVIEW'], /update orders set total/],
    [['sessions'], /\trobot\tshop\t|"robot"/],
    [['sessions', 'list', '--identity', 'robot', '--target', 'shop', '--since', '1h', '--limit', '5'], /robot/],
    [['sessions', 'show', 'SESSION'], /drop table orders/],
    [['search', 'drop table', '--target', 'shop'], /drop table orders/],
    [['replay', 'SESSION'], /drop table orders/],
    [['replay', 'SESSION', '--instant'], /denied by rule no-schema-changes/],
    [['replay', 'SESSION', '--speed', '1000'], /drop table orders/],
    [['replay', 'SESSION', '--format', 'json'], /"from":"client"/],
    [['verify', 'SESSION'], /whole/],
    [['verify', '--all'], /whole/],
    [['export', '--since', '1h'], /"type":"session.began"/],
    [['export', '--format', 'ocsf'], /"class_uid":6005/],
    [['export', '--format', 'evidence', '--session', 'SESSION'], /"end":/],
    [['export-config'], /no-schema-changes/],
    [['policy', 'explain', '--identity', 'robot', '--target', 'shop', '--statement', 'drop table orders'], /no-schema-changes/],
  ])('%s', async (args, says) => {
    for (const more of [[], ['--json']]) {
      const { code, stdout, stderr } = await cli(...filled(args), ...more)
      expect([code, stdout], stderr).toEqual([0, more.length === 0 ? expect.stringMatching(says) : stdout])
      if (more.length === 0) continue
      const lines = args[0] === 'replay' || args[0] === 'export' ? stdout.trim().split('\n') : [stdout]
      for (const line of lines) expect(typeof JSON.parse(line)).toBe('object')
    }
  })
})

describe('what does not work exits 1: nothing on stdout, and on stderr what, where and what to do', () => {
  it.each<readonly [readonly string[], RegExp]>([
    [['targets', 'schema', 'nowhere'], /there is no target nowhere/],
    [['token', 'create', 'nobody'], /there is no identity nobody; add it to identities and apply/],
    [['token', 'create', 'robott'], /did you mean robot\?/],
    [['token', 'create', 'ann', '--on-behalf-of', 'ben'], /persons act for themselves/],
    [['token', 'revoke', 'nothing'], /there is no live token nothing/],
    [['reviews', 'show', 'nothing'], /there is no review nothing/],
    [['reviews', 'approve', 'REVIEW'], /./],
    [['sessions', 'show', 'nothing'], /there is no session nothing/],
    [['sessions', 'end', 'SESSION'], /is over already/],
    [['replay', 'nothing'], /there is no session nothing/],
    [['replay', 'SESSION', '--format', 'asciicast'], /had no terminal; replay it as text or json/],
    [['replay', 'SESSION', '--format', 'har'], /only sessions of http have a HAR/],
    [['apply', '-f', 'nowhere.yaml'], /nowhere\.yaml: there is no such file; check the path/],
    [['check', '-c', 'nowhere.yaml'], /there is no such file/],
    [['policy', 'test', 'nowhere.yaml'], /there is no such file/],
    [['policy', 'explain', '--identity', 'nobody', '--target', 'shop', '--statement', 'x'], /there is no identity nobody/],
    [['connect', 'nowhere', '--as', 'robot'], /robot may reach no target nowhere; `sallyport targets` lists what is there/],
    [['connect', 'shop'], /as whom\? set SALLYPORT_TOKEN, or add --as IDENTITY/],
    [['verify', '--file', 'nowhere.jsonl'], /nowhere\.jsonl cannot be read/],
    [['verify', '--file', 'HOME/node', '--key', 'HOME/node'], /is no public key of a node/],
  ])('%s', async (args, says) => {
    const { code, stdout, stderr } = await cli(...filled(args))
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(says)
    expect(stderr).not.toMatch(/unexpected|\n {4}at /)
  })

  it('and as those who may not', async () => {
    const as = await stage.gateway.token('guest')
    for (const args of [
      ['token', 'list'],
      ['status'],
      ['export-config'],
      ['verify'],
      ['targets', 'schema', 'shop'],
      ['token', 'create', 'robot'],
    ]) {
      const refused = await stage.gateway.cli(args, { as })
      expect([refused.code, refused.stdout]).toEqual([1, ''])
      expect(refused.stderr).toMatch(/guest may not do this; it takes the admin token/)
    }
    const unknown = await stage.gateway.cli(['whoami'], { as: 'sp_wrong' })
    expect([unknown.code, unknown.stdout]).toEqual([1, ''])
  })
})

describe('definitions', () => {
  it('go round: what is exported applies with nothing to change, and a change is shown before and after', async () => {
    const exported = (await cli('export-config')).stdout
    const same = await cli('apply', '-f', write('same.yaml', exported))
    expect(same).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('nothing to change') })
    const changed = write('changed.yaml', exported.replace('reason: Scratch is not for you.', 'reason: Not for you.'))
    const dry = await cli('apply', '-f', changed, '--dry-run')
    expect(dry.stdout).toBe('~ rule hands-off-scratch\n    reason: "Scratch is not for you." -> "Not for you."\n')
    expect(dry.stderr).toContain('nothing was changed')
    const applied = JSON.parse((await cli('apply', '-f', changed, '--json')).stdout) as {
      readonly applied: boolean
      readonly changes: readonly unknown[]
    }
    expect([applied.applied, applied.changes.length]).toEqual([true, 1])
    expect((await cli('export-config')).stdout).toContain('reason: Not for you.')
    const bad = await cli('apply', '-f', write('bad.yaml', 'rules:\n  - { name: a, then: forbid }\n'))
    expect([bad.code, bad.stdout, bad.stderr]).toEqual([1, '', expect.stringMatching(/bad\.yaml:2:\d+: /)])
    expect((await cli('apply', '-f', write('same.yaml', exported))).code).toBe(0)
  })
})

describe('rules, tried', () => {
  const cases = `
- { identity: robot, target: shop, statement: "drop table orders", expect: deny, rule: no-schema-changes }
- { identity: robot, target: shop, statement: "select email from contacts", expect: mask, rule: email }
- { identity: robot, target: shop, statement: "select id from orders", expect: allow }
`
  it('by the running gateway, and away from it by the schema that it printed', async () => {
    const file = write('cases.yaml', cases)
    expect(await cli('policy', 'test', file)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('3 statements, each as expected'),
    })
    const schema = write('shop.json', (await cli('targets', 'schema', 'shop')).stdout)
    const config = join(dirname(stage.gateway.home), 'sallyport.yaml')
    const away = ['policy', 'test', file, '-c', config]
    expect(await cli(...away, '--schema', schema)).toMatchObject({ code: 0 })
    // Without it a view is only a name.
    const blind = await cli(...away, '--json')
    expect(blind.code).toBe(1)
    expect(JSON.parse(blind.stdout)).toMatchObject({ statements: 3, mismatches: [{ statement: 'select email from contacts' }] })
    const other = write('other.json', JSON.stringify({ target: 'elsewhere', protocol: 'postgres', at: '', catalogue: {} }))
    expect((await cli(...away, '--schema', other)).stderr).toContain(
      'is of target elsewhere, which the configuration does not have',
    )
    const broken = write('broken.json', JSON.stringify({ target: 'shop', protocol: 'postgres', at: '', catalogue: {} }))
    expect(await cli(...away, '--schema', broken)).toMatchObject({ code: 1, stdout: '' })
    expect((await cli(...away, '--schema', file)).stderr).toContain('is no schema of a target; print one with')
    expect((await cli('policy', 'test', file, '--schema', schema)).code).toBe(2)
  })
})

describe('programs', () => {
  it('run as an identity, with its credentials in the environment alone and gone afterwards', async () => {
    const query = await cli('connect', 'shop', '--as', 'robot', '--', '-At', '-c', 'select 6 * 7')
    expect(query).toMatchObject({ code: 0, stdout: '42\n' })
    const run = await cli('run', '--as', 'robot', '--', 'sh', '-c', 'echo "$PGUSER $SALLYPORT_TARGETS"; exit 7')
    expect([run.code, run.stdout]).toEqual([7, 'robot shop,root,plain\n'])
    expect((await cli('run', '--as', 'robot', '--', 'no-such-program')).code).toBe(127)
    const tokens = await stage.gateway.json<readonly { readonly identity: string; readonly revokedAt: string | null }[]>(
      'token',
      'list',
    )
    expect(tokens.filter(({ identity, revokedAt }) => identity === 'robot' && revokedAt !== null).length).toBeGreaterThanOrEqual(3)
  })

  it('reviews are watched as they come and go', async () => {
    const entry = join(checkout, 'packages', 'cli', 'bin', 'sallyport.js')
    const child = spawn(entry, ['reviews', 'watch'], { env: { ...process.env, SALLYPORT_HOME: stage.gateway.home } })
    let seen = ''
    child.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString('utf8')))
    const waiting = psql(await stage.gateway.url('robot', 'shop'), 'delete from orders;')
    const { id } = await openReview(stage.gateway, 'delete from orders')
    const shows = (text: string): Promise<true> =>
      waitFor(
        () => (seen.includes(text) ? true : undefined),
        10_000,
        () => `${text} to be shown; it showed:\n${seen}`,
      )
    await shows(`open      ${id}`)
    await decide(stage.gateway, 'deny', id, 'ann')
    await waiting
    await shows(`denied    ${id}`)
    // A decision changes an open review before it is settled, and may be seen by itself.
    const states = seen
      .split('\n')
      .filter((line) => line.includes(id))
      .map((line) => line.split(' ')[0])
    expect([...new Set(states)]).toEqual(['open', 'denied'])
    expect(states.at(-1)).toBe('denied')
    child.kill()
  })
})
