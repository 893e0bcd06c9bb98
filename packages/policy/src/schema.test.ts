// What an operator may write, and what is said where it is wrong.
/* oxlint-disable unicorn/no-thenable -- `then` is the rule language's own word; it is never a function */

import { describe, expect, it } from 'vitest'
import { durationMs } from './duration.js'
import { faultsFrom } from './fault.js'
import { grantsNobodyHas, neverMatches } from './never-matches.js'
import { compilePolicy } from './policy.js'
import { grantSchema, grantsSchema, rulesSchema } from './schema.js'
import { isGranted } from './who-where.js'
import type { Identity, Target } from '@sallyport/core'
import type { Fault } from './fault.js'
import type { Rule } from './schema.js'

const target = (name: string, more: Partial<Target> = {}): Target => ({
  name,
  protocol: 'postgres',
  address: 'h:1',
  databases: [],
  tls: 'verify',
  labels: {},
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
  ...more,
})

function faults(rules: unknown): readonly Fault[] {
  const parsed = rulesSchema.safeParse(rules)
  return parsed.success ? [] : faultsFrom(parsed.error)
}

const product = [
  {
    name: 'agents-change-no-schema',
    who: { kind: 'agent' },
    where: { targets: ['orders*'] },
    what: { access: ['schema', 'admin'] },
    then: 'deny',
    reason: 'Schema changes go through migrations.',
  },
  {
    name: 'unbounded-writes',
    what: { verbs: ['update', 'delete'], bounded: false },
    then: 'review',
    reviewers: { groups: ['dba'], count: 1 },
    within: '15m',
  },
  { name: 'personal-data', what: { columns: ['*.customers.email', '*.customers.ssn'] }, then: 'mask', with: 'redact' },
  {
    name: 'no-bulk-export',
    what: { access: ['read'], objects: ['*.customers'], rowsOver: 1000 },
    then: 'review',
    reviewers: { groups: ['dba'] },
  },
  { name: 'odd-hours', what: { access: ['write'] }, when: 'now.hour < 6', then: 'review', reviewers: { groups: ['dba'] } },
]

describe('rules as they are written', () => {
  it('takes a whole configuration, and a single name for a list', () => {
    expect(faults(product)).toEqual([])
    expect(rulesSchema.parse([{ name: 'r', then: 'deny', who: { kind: 'agent', groups: 'dev' } }])[0]?.who).toEqual({
      kind: ['agent'],
      groups: ['dev'],
    })
    expect(rulesSchema.parse(rulesSchema.parse(product))).toEqual(rulesSchema.parse(product))
  })

  it.each<[string, object, Fault['path'], RegExp]>([
    ['an unknown key', { colums: ['x'] }, [0, 'colums'], /no key "colums"; it has name, who/],
    ['an unknown key of what', { what: { verb: ['x'] } }, [0, 'what', 'verb'], /what has no key "verb"/],
    ['an unknown key of who', { who: { group: ['x'] } }, [0, 'who', 'group'], /who has no key/],
    ['a wrong action', { then: 'forbid' }, [0, 'then'], /"forbid" is none of allow, deny, review, mask/],
    ['a wrong access', { what: { access: ['delete'] } }, [0, 'what', 'access', 0], /none of read, write, schema, admin, unknown/],
    ['an empty list', { what: { verbs: [] } }, [0, 'what', 'verbs'], /could never match/],
    ['a bad regular expression', { what: { text: '(a' } }, [0, 'what', 'text'], /missing closing \).*RE2/],
    ['a back reference', { what: { text: '(a)\\1' } }, [0, 'what', 'text'], /RE2/],
    ['a long pattern', { what: { text: 'a'.repeat(1001) } }, [0, 'what', 'text'], /more than 1000/],
    ['a condition that does not parse', { when: 'now.hour <' }, [0, 'when'], /EOF.*variables: identity/],
    ['an unknown variable', { when: 'user == "x"' }, [0, 'when'], /Unknown variable: user/],
    ['an unknown field', { when: 'statement.effects.exists(e, e.table == "x")' }, [0, 'when'], /No such key: table/],
    ['a condition that is no yes or no', { when: 'now.hour' }, [0, 'when'], /type int/],
    [
      'a regular expression in a condition',
      { when: 'statement.text.matches("(a+)+$")' },
      [0, 'when'],
      /matches\(\) is not available/,
    ],
    [
      'one deep inside',
      { when: 'now.hour < 6 ? [statement.text].exists(t, dyn(t).matches("a")) : false' },
      [0, 'when'],
      /matches\(\)/,
    ],
    ['a review without reviewers', { then: 'review' }, [0, 'then'], /needs reviewers/],
    ['too few people', { then: 'review', reviewers: { names: ['a', 'a'], count: 2 } }, [0, 'reviewers', 'count'], /only 1 may/],
    ['reviewers of a deny', { reviewers: { groups: ['x'] } }, [0, 'reviewers'], /only with then: review/],
    ['within of a deny', { within: '5m' }, [0, 'within'], /only with then: review/],
    ['a strange span', { then: 'review', reviewers: { groups: ['x'] }, within: '5 minutes' }, [0, 'within'], /15m/],
    ['a span too long', { then: 'review', reviewers: { groups: ['x'] }, within: '30d' }, [0, 'within'], /out of range/],
    ['with of a deny', { with: 'hash' }, [0, 'with'], /only with then: mask/],
    ['a mask of nothing', { then: 'mask' }, [0, 'then'], /a mask needs what/],
    ['a mask after rows', { then: 'mask', what: { columns: ['*'], rowsOver: 5 } }, [0, 'what', 'rowsOver'], /deny or then: review/],
    ['half a row', { what: { rowsOver: 1.5 } }, [0, 'what', 'rowsOver'], /whole number/],
  ])('refuses %s, with its place', (_, rule, path, message) => {
    const found = faults([{ name: 'r', then: 'deny', ...rule }])
    expect(found.map((fault) => fault.path)).toContainEqual(path)
    expect(found.map((fault) => fault.message).join('\n')).toMatch(message)
  })

  it('refuses two rules of one name', () => {
    const twice = [
      { name: 'r', then: 'deny' },
      { name: 'r', then: 'allow' },
    ]
    expect(faults(twice)).toEqual([{ path: [1, 'name'], message: 'two rules are named r' }])
  })

  it('a rule that was not checked is refused when it is compiled', () => {
    const rule: Rule = { name: 'r', then: 'deny', when: 'nothing' }
    expect(() => compilePolicy([rule])).toThrow(/rules\[0\]\.when of rule r: Unknown variable: nothing/)
  })
})

describe('spans', () => {
  it.each([
    ['30s', 30_000],
    ['15m', 900_000],
    ['8h', 28_800_000],
    ['7d', 604_800_000],
    ['0s', undefined],
    ['15', undefined],
    ['1.5h', undefined],
    ['-5m', undefined],
  ])('%s', (text, spanMs) => {
    expect(durationMs(text)).toBe(spanMs)
  })
})

describe('grants', () => {
  const identity: Identity = { id: 'a', name: 'ada', kind: 'person', groups: ['dba'] }

  it('say to whom and what', () => {
    expect(grantSchema.safeParse({ groups: ['dba'] }).success).toBe(false)
    expect(grantSchema.safeParse({ targets: ['orders'] }).success).toBe(false)
    expect(grantSchema.safeParse({ groups: ['dba'], targets: ['orders'], verbs: ['select'] }).success).toBe(false)
    expect(grantSchema.safeParse({ names: ['*'], labels: { env: 'dev' } }).success).toBe(true)
  })

  it('let through whom they name', () => {
    const grants = grantsSchema.parse([
      { groups: ['dba'], targets: ['ord*'] },
      { names: ['bo'], targets: ['*'] },
    ])
    expect(isGranted(grants, identity, target('orders'))).toBe(true)
    expect(isGranted(grants, identity, target('crm'))).toBe(false)
    expect(isGranted([], identity, target('orders'))).toBe(false)
  })

  it('of names nobody has are faults', () => {
    const grants = grantsSchema.parse([{ groups: ['dbas'], targets: ['order', 'o*'] }])
    expect(grantsNobodyHas(grants, { targets: [target('orders')], groups: ['dba'] })).toEqual([
      { path: [0, 'groups', 0], message: 'there is no group dbas' },
      { path: [0, 'targets', 0], message: 'there is no target order' },
    ])
  })
})

describe('rules that can never match', () => {
  const known = {
    targets: [target('orders', { labels: { env: 'prod' } }), target('web', { protocol: 'ssh' })],
    identities: ['ada', 'bot'],
    groups: ['dba', 'agents'],
  }
  const atOrders = { where: { targets: ['orders'] } }

  it('a sound configuration has none', () => {
    expect(neverMatches(rulesSchema.parse(product), known)).toEqual([])
  })

  it.each<[string, object, Fault['path'] | undefined]>([
    ['an unknown target', { where: { targets: ['order'] } }, [0, 'where', 'targets', 0]],
    ['a pattern for targets to come', { where: { targets: ['crm-*'] } }, undefined],
    ['an unknown group', { who: { groups: ['dbas'] } }, [0, 'who', 'groups', 0]],
    ['an unknown name', { who: { names: ['ada', 'eve'] } }, [0, 'who', 'names', 1]],
    ['an unknown label', { where: { labels: { team: 'x' } } }, [0, 'where', 'labels', 'team']],
    ['an unknown value', { where: { labels: { env: 'dev' } } }, [0, 'where', 'labels', 'env']],
    ['no target for both', { where: { targets: ['web'], labels: { env: 'prod' } } }, [0, 'where']],
    ['unknown reviewers', { then: 'review', reviewers: { groups: ['dba', 'sec'] } }, [0, 'reviewers', 'groups', 1]],
    ['a table without schema', { ...atOrders, what: { objects: ['customers'] } }, [0, 'what', 'objects', 0]],
    ['a column without schema', { ...atOrders, what: { columns: ['customers.email'] } }, [0, 'what', 'columns', 0]],
    ['a table without schema, with a star', { ...atOrders, what: { objects: ['*customers'] } }, undefined],
    ['a table without schema where ssh is meant too', { what: { objects: ['customers'] } }, undefined],
    ['a select that changes the schema', { ...atOrders, what: { access: ['schema'], verbs: ['select'] } }, [0, 'what', 'access']],
    ['a select not understood', { ...atOrders, what: { access: ['unknown'], verbs: ['select'] } }, undefined],
    ['verbs of both kinds', { ...atOrders, what: { access: ['write'], verbs: ['select', 'copy'] } }, undefined],
    ['bounded reads', { ...atOrders, what: { access: ['read'], bounded: false } }, [0, 'what', 'bounded']],
    ['bounded inserts', { ...atOrders, what: { verbs: ['insert'], bounded: false } }, [0, 'what', 'bounded']],
    ['rows of writes', { ...atOrders, what: { access: ['write'], rowsOver: 5 } }, [0, 'what', 'rowsOver']],
    ['a mask of writes', { then: 'mask', what: { access: ['write'], columns: ['*'] } }, [0, 'what', 'access']],
    ['paths where nothing speaks http', { what: { paths: ['/admin/*'] } }, [0, 'what', 'paths']],
    ['programs where something speaks ssh', { what: { programs: ['rm'] } }, undefined],
    ['programs of a database', { ...atOrders, what: { programs: ['rm'] } }, [0, 'what', 'programs']],
  ])('%s', (_, rule, path) => {
    const found = neverMatches(rulesSchema.parse([{ name: 'r', then: 'deny', ...rule }]), known)
    expect(found.map((fault) => fault.path)).toEqual(path === undefined ? [] : [path])
  })

  it('names that a provider may bring are not judged', () => {
    const rules = rulesSchema.parse([{ name: 'r', then: 'deny', who: { groups: ['x'], names: ['y'] } }])
    expect(neverMatches(rules, { targets: known.targets })).toEqual([])
  })
})
