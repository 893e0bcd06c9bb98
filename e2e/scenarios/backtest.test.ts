// What other rules would have done to what was really recorded: `sallyport policy backtest` after real sessions.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { psql } from '../backends/psql.js'
import { decide, openReview } from '../backends/reviews.js'
import { openStage, type Stage } from '../backends/shop.js'

interface Backtest {
  readonly statements: number
  readonly sessions: number
  readonly unchanged: number
  readonly changed: number
  readonly byRule: readonly {
    readonly was: string
    readonly would: string
    readonly wouldBy: string
    readonly statements: number
  }[]
  readonly differences: readonly {
    readonly session: string
    readonly statement: number
    readonly text: string
    readonly was: { readonly kind: string; readonly by: string }
    readonly would: { readonly kind: string; readonly by: string }
    readonly unsure: readonly string[]
  }[]
  readonly more: boolean
  readonly notes: readonly string[]
}

let stage: Stage
const directory = mkdtempSync(join(tmpdir(), 'sallyport-backtest-'))

function rulesFile(rules: string): string {
  const file = join(directory, 'new.yaml')
  writeFileSync(file, rules)
  return file
}

const backtest = (rules: string, ...args: readonly string[]): Promise<Backtest> =>
  stage.gateway.json('policy', 'backtest', rulesFile(rules), ...args)

beforeAll(async () => {
  stage = await openStage()
  const waiting = psql(await stage.gateway.url('robot', 'shop'), 'update orders set total = total;')
  await decide(stage.gateway, 'approve', (await openReview(stage.gateway, 'set total')).id, 'ann')
  await waiting
  await psql(
    await stage.gateway.url('robot', 'shop'),
    `select id from customers where id = 1;
     select email from customers;
     drop table orders;
     select id from numbers where id <= 20;
     select id from numbers;`,
  )
  await psql(await stage.gateway.url('second', 'plain'), 'select 1')
})

afterAll(async () => {
  await stage.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('rules tried on the record', () => {
  it('change nothing where they are those in force', async () => {
    const written = (await stage.gateway.cli(['export-config'])).stdout
    const result = await backtest(written)
    expect(result).toMatchObject({ changed: 0, differences: [], notes: [], sessions: 3 })
    expect(result.unchanged).toBe(result.statements)
  })

  it('are told apart statement by statement: let go, denied, held, masked, and by rows', async () => {
    const result = await backtest(`
rules:
  - { name: no-lookups, what: { access: [read], objects: ["*.customers"], columns: ["*.id"] }, then: deny }
  - { name: ask-for-mail, what: { columns: ["*.customers.email"] }, then: review, reviewers: { groups: [dba] } }
  - { name: few, what: { access: [read], objects: ["*.numbers"], rowsOver: 10 }, then: deny }
  - { name: nobody-in, who: { names: [second] }, what: { kinds: [connect] }, then: deny }
`)
    const told = result.differences.map(
      ({ text, was, would }) => `${text.replace(';', '')}: ${was.kind} by ${was.by}, ${would.kind} by ${would.by}`,
    )
    expect(told.toSorted()).toEqual(
      [
        'connect to plain: allow by (by default), deny by nobody-in',
        'drop table orders: deny by no-schema-changes, allow by (by default)',
        'select email from customers: mask by email, review by ask-for-mail',
        'select id from customers where id = 1: allow by (by default), deny by no-lookups',
        'select id from numbers where id <= 20: allow by (by default), deny by few',
        'update orders set total = total: review by unbounded-writes, allow by (by default)',
      ].toSorted(),
    )
    expect(result.byRule.reduce((sum, { statements }) => sum + statements, 0)).toBe(result.changed)
    const [first] = result.differences
    const session = await stage.gateway.json<{ readonly statementList: readonly { readonly id: number; readonly text: string }[] }>(
      'sessions',
      'show',
      first?.session ?? '',
    )
    expect(session.statementList.find(({ id }) => id === first?.statement)?.text).toBe(first?.text)
  })

  it('say what cannot be known afterwards', async () => {
    const result = await backtest(`
rules:
  - { name: numbers, what: { access: [read], objects: ["*.numbers"], rowsOver: 100000 }, then: deny }
  - { name: all-columns, what: { columns: ["*.customers.id"] }, then: mask }
`)
    const unsure = (text: string): readonly string[] | undefined =>
      result.differences.find((each) => each.text === `${text};`)?.unsure
    expect(unsure('select id from numbers')).toEqual(['rows'])
    expect(unsure('select id from customers where id = 1')).toEqual(['masks'])
    expect(result.notes).toEqual([expect.stringContaining('rowsOver'), expect.stringContaining('masked')])
  })

  it('are narrowed, listed up to a limit, and shown to people', async () => {
    const deny = 'rules: [{ name: nothing, then: deny }]'
    const some = await backtest(deny, '--identity', 'robot', '--target', 'shop', '--limit', '2')
    expect([some.differences.length, some.more, some.sessions]).toEqual([2, true, 2])
    expect((await backtest(deny, '--until', '1h')).statements).toBe(0)
    const shown = await stage.gateway.cli(['policy', 'backtest', rulesFile(deny), '--since', '1h'])
    expect(shown.code).toBe(0)
    expect(shown.stdout).toContain('deny\tnothing')
    expect(shown.stderr).toContain('would be ruled otherwise')
  })

  it('must be rules, and only operators may try them', async () => {
    const faulty = await stage.gateway.cli(['policy', 'backtest', rulesFile('rules:\n  - { name: x, then: dney }\n')])
    expect([faulty.code, faulty.stdout]).toEqual([1, ''])
    expect(faulty.stderr).toMatch(/new\.yaml:2:\d+: .*deny/)
    const none = await stage.gateway.cli(['policy', 'backtest', rulesFile('listen: []\n')])
    expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/new\.yaml:1:\d+/)])
    const unknown = await stage.gateway.cli([
      'policy',
      'backtest',
      rulesFile('rules: [{ name: x, where: { targets: [nowhere] }, then: deny }]'),
    ])
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('there is no target nowhere')])
    const robot = await stage.gateway.token('robot')
    const refused = await stage.gateway.cli(['policy', 'backtest', rulesFile('rules: []')], { as: robot })
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('may not do this')])
    expect((await stage.gateway.cli(['policy', 'backtest', rulesFile('rules: []'), '--since', 'ever'])).code).toBe(2)
  })
})

describe('what was done on somebody’s behalf', () => {
  it('is in their lists, and nobody else’s', async () => {
    const forBen = await stage.gateway.token('robot', '--on-behalf-of', 'ben')
    const url = new URL(await stage.gateway.url('robot', 'shop'))
    url.password = forBen
    await psql(url.href, 'select 4711')
    const listed = async (who: string): Promise<readonly string[]> => {
      const as = await stage.gateway.token(who)
      const { stdout } = await stage.gateway.cli(['sessions', 'list', '--json'], { as })
      return (JSON.parse(stdout) as readonly { identity: string; onBehalfOf: string | null }[]).map(
        ({ identity, onBehalfOf }) => `${identity} for ${onBehalfOf ?? 'nobody'}`,
      )
    }
    const found = async (who: string): Promise<string> =>
      (await stage.gateway.cli(['search', '4711'], { as: await stage.gateway.token(who) })).stdout
    expect(await listed('ben')).toEqual(['robot for ben'])
    expect(await found('ben')).toContain('select 4711')
    expect(await listed('guest')).toEqual([])
    expect(await found('guest')).toBe('')
    expect((await listed('robot')).filter((each) => each === 'robot for ben').length).toBe(1)
  })
})
