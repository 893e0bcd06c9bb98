import type { Effect } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { checkedDefinitions } from '../configuration/load.js'
import { inForce } from '../start/in-force.js'
import { Differences } from './differences.js'
import { differs, judgedIn, rejudge } from './rejudge.js'
import type { RecordedStatementEvent } from './rejudge.js'

const credential = { username: 'u', password: { env: 'P' } }

function force(rules: readonly object[], more: Readonly<Record<string, unknown>> = {}) {
  const definitions = checkedDefinitions(
    {
      identities: [{ name: 'bot', kind: 'agent', groups: ['agents'] }],
      targets: [
        { name: 'db', protocol: 'postgres', address: 'db:5432', credential },
        { name: 'box', protocol: 'ssh', address: 'box:22', credential, hostKey: 'ssh-ed25519 AAAA' },
        { name: 'crm', protocol: 'http', address: 'https://crm.internal' },
      ],
      grants: [{ groups: ['agents'], targets: ['*'] }],
      rules,
      ...more,
    },
    { providers: true, operators: { groups: [], endSessions: [] } },
  )
  return inForce(0, definitions, { providers: true, credentialFor: async () => ({ kind: 'none' }) })
}

interface Changes {
  readonly target?: string
  readonly kind?: string
  readonly text?: string
  readonly at?: string
  readonly effects?: readonly Effect[]
  readonly rows?: number | null
  readonly durationMs?: number | null
  readonly error?: string
  readonly ruling?: Partial<NonNullable<RecordedStatementEvent['statement']['ruling']>> | null
}

function recorded(change: Changes = {}): RecordedStatementEvent {
  const { target = 'db', kind = 'query', text = 'select 1', at = '2026-03-02T05:00:00.000Z', effects = [] } = change
  const ruling = { kind: 'allow', rule: null, reason: null, reviewers: [], cause: null, masks: [], forwarded: null }
  return {
    kind: 'statement',
    cursor: '1/1/s1',
    session: {
      id: 's1',
      identity: 'bot',
      onBehalfOf: null,
      target,
      protocol: 'postgres',
      startedAt: at,
      endedAt: null,
      statements: 1,
      denied: 0,
      outcome: null,
      kind: 'agent',
      groups: ['agents'],
      client: '',
      application: null,
      node: 'n',
      bytes: 0,
    },
    statement: {
      id: 1,
      at,
      kind,
      text,
      parameters: [],
      effects,
      rows: change.rows === undefined ? 1 : change.rows,
      bytes: 1,
      durationMs: change.durationMs === undefined ? 1 : change.durationMs,
      error: change.error ?? null,
      ruling: change.ruling === null ? null : { ...ruling, ...change.ruling },
    },
  }
}

const read: Effect = { access: 'read', verb: 'select', object: 'shop.customers', columns: ['shop.customers.email'] }
const remove: Effect = { access: 'write', verb: 'delete', object: 'shop.orders', bounded: false }

function outcome(change: Changes, rules: readonly object[], more: Readonly<Record<string, unknown>> = {}): string {
  const again = rejudge(recorded(change), force(rules, more))
  if (again.kind === 'not-judged') return again.kind
  const { was, would, unsure } = again
  return `${differs(again) ? '' : 'same: '}${was.kind} by ${was.by} -> ${would.kind} by ${would.by}${unsure.map((each) => ` ?${each}`).join('')}`
}

const review = { then: 'review', reviewers: { groups: ['dba'] } }

describe('a recorded statement judged again', () => {
  it.each<[string, Changes, readonly object[], string]>([
    ['no rule', { effects: [read] }, [], 'same: allow by (by default) -> allow by (by default)'],
    [
      'denied',
      { effects: [remove] },
      [{ name: 'no', what: { verbs: ['delete'] }, then: 'deny' }],
      'allow by (by default) -> deny by no',
    ],
    [
      'let go',
      { effects: [remove], ruling: { kind: 'deny', rule: 'old', cause: 'rule' } },
      [],
      'deny by old -> allow by (by default)',
    ],
    [
      'denied by another rule',
      { effects: [remove], ruling: { kind: 'deny', rule: 'old', cause: 'rule' } },
      [{ name: 'new', what: { verbs: ['delete'] }, then: 'deny' }],
      'same: deny by old -> deny by new',
    ],
    [
      'a review that was approved',
      { effects: [remove], ruling: { rule: 'ask', reviewers: ['ann'] } },
      [{ name: 'ask2', what: { verbs: ['delete'] }, ...review }],
      'same: review by ask -> review by ask2',
    ],
    [
      'a review that ran out, now allowed',
      { effects: [remove], ruling: { kind: 'deny', rule: 'ask', cause: 'review-expired' } },
      [],
      'review by ask -> allow by (by default)',
    ],
    [
      'the time it was',
      { effects: [read], at: '2026-03-02T05:00:00.000Z' },
      [{ name: 'night', when: 'now.hour < 6 && now.weekday == "monday"', then: 'deny' }],
      'allow by (by default) -> deny by night',
    ],
    [
      'another time',
      { effects: [read], at: '2026-03-02T06:00:00.000Z' },
      [{ name: 'night', when: 'now.hour < 6', then: 'deny' }],
      'same: allow by (by default) -> allow by (by default)',
    ],
    [
      'masked',
      { effects: [read] },
      [{ name: 'mail', what: { columns: ['*.customers.email'] }, then: 'mask' }],
      'allow by (by default) -> mask by mail ?masks',
    ],
    [
      'masked as before',
      {
        effects: [read],
        ruling: { kind: 'mask', rule: 'm', masks: [{ column: 'shop.customers.email', with: 'redact', rule: 'm' }] },
      },
      [{ name: 'mail', what: { columns: ['*.customers.email'] }, then: 'mask' }],
      'same: mask by m -> mask by mail',
    ],
    [
      'masked with something else',
      {
        effects: [read],
        ruling: { kind: 'mask', rule: 'm', masks: [{ column: 'shop.customers.email', with: 'redact', rule: 'm' }] },
      },
      [{ name: 'mail', what: { columns: ['*.customers.email'] }, then: 'mask', with: 'hash' }],
      'mask by m -> mask by mail',
    ],
    [
      'what could not be masked then',
      { effects: [read], ruling: { kind: 'deny', rule: 'm', cause: 'not-maskable' } },
      [{ name: 'mail', what: { columns: ['*.customers.email'] }, then: 'mask' }],
      'same: deny by m -> deny by mail',
    ],
    [
      'rows below the limit',
      { effects: [read], rows: 10 },
      [{ name: 'bulk', what: { rowsOver: 10 }, then: 'deny' }],
      'same: allow by (by default) -> allow by (by default)',
    ],
    [
      'rows over the second of two limits',
      { effects: [read], rows: 101 },
      [
        { name: 'some', what: { rowsOver: 10 }, ...review },
        { name: 'bulk', what: { rowsOver: 100 }, then: 'deny' },
      ],
      'allow by (by default) -> deny by bulk',
    ],
    [
      'rows of a statement that was stopped',
      { effects: [read], rows: 5, error: '57014' },
      [{ name: 'bulk', what: { rowsOver: 10 }, then: 'deny' }],
      'same: allow by (by default) -> allow by (by default) ?rows',
    ],
    [
      'what was not understood',
      { effects: [{ access: 'unknown', verb: 'call', object: 'shop.f' }] },
      [{ name: 'no', what: { verbs: ['drop'] }, then: 'deny' }],
      'allow by (by default) -> deny by no ?catalogue',
    ],
    [
      'what the protocol refused',
      { ruling: { kind: 'deny', cause: 'not-understood' } },
      [{ name: 'any', then: 'allow' }],
      'same: deny by (by default) -> deny by (by default)',
    ],
    ['never ruled on', { ruling: null }, [{ name: 'no', then: 'deny' }], 'not-judged'],
    ['cut off', { ruling: { kind: 'deny', cause: 'session-ended' } }, [], 'not-judged'],
    [
      'a command',
      {
        target: 'box',
        kind: 'command',
        text: 'rm -rf /srv',
        effects: [{ access: 'write', verb: 'run', object: 'rm', program: 'rm', args: ['-rf', '/srv'], options: ['-r', '-f'] }],
      },
      [{ name: 'trees', what: { programs: ['rm'], args: ['-r*'] }, then: 'deny' }],
      'allow by (by default) -> deny by trees',
    ],
    [
      'a file',
      { target: 'box', kind: 'file', effects: [{ access: 'read', verb: 'read', object: '/etc/passwd', file: '/etc/passwd' }] },
      [{ name: 'etc', what: { files: ['/etc/*'] }, ...review }],
      'allow by (by default) -> review by etc',
    ],
    [
      'a tunnel that no rule allows any more',
      {
        target: 'box',
        kind: 'tunnel',
        effects: [{ access: 'admin', verb: 'forward', object: 'h:1' }],
        ruling: { rule: 'metrics' },
      },
      [],
      'allow by metrics -> deny by (by default)',
    ],
    [
      'a request',
      {
        target: 'crm',
        kind: 'request',
        effects: [
          { access: 'write', verb: 'post', object: '/v1/mails', request: { method: 'POST', path: '/v1/mails', fields: ['bcc'] } },
        ],
      },
      [{ name: 'bcc', what: { methods: ['POST'], fields: ['bcc'] }, then: 'deny' }],
      'allow by (by default) -> deny by bcc',
    ],
    ['a target that is gone', { target: 'gone' }, [], 'allow by (by default) -> deny by (no grant)'],
  ])('%s', (_name, change, rules, expected) => expect(outcome(change, rules)).toBe(expected))

  it('counts a grant that is taken away, and groups that are given', () => {
    expect(outcome({}, [], { grants: [] })).toBe('allow by (by default) -> deny by (no grant)')
    const identities = [{ name: 'bot', kind: 'agent', groups: ['agents', 'watched'] }]
    const rules = [{ name: 'watched', who: { groups: ['watched'] }, then: 'deny' }]
    expect(outcome({}, rules, { identities })).toBe('allow by (by default) -> deny by watched')
  })

  it('judges connecting also where nothing of it is on record', () => {
    const { cursor, session } = recorded()
    const current = force([{ name: 'nobody', what: { kinds: ['connect'] }, then: 'deny' }])
    const connect = judgedIn({ kind: 'began', cursor, session, connectRuled: false })
    expect(connect && rejudge(connect, current)).toMatchObject({ was: { kind: 'allow' }, would: { kind: 'deny', by: 'nobody' } })
    expect(judgedIn({ kind: 'began', cursor, session, connectRuled: true })).toBeUndefined()
    expect(judgedIn({ kind: 'ended', cursor, session })).toBeUndefined()
  })
})

describe('differences', () => {
  it('are counted by rule and kind, and the first listed', () => {
    const current = force([{ name: 'no', what: { verbs: ['delete'] }, then: 'deny' }])
    const differences = new Differences(2)
    for (let i = 0; i < 5; i++) {
      const event = recorded({ effects: [remove] })
      differences.add(event, rejudge(event, current))
    }
    differences.add(recorded(), rejudge(recorded(), current))
    const result = differences.result()
    expect(result).toMatchObject({ statements: 6, sessions: 1, unchanged: 1, changed: 5, more: true })
    expect(result.byRule).toEqual([{ was: 'allow', wasBy: '(by default)', would: 'deny', wouldBy: 'no', statements: 5 }])
    expect(result.byKind).toEqual({ query: { statements: 6, changed: 5 } })
    expect(result.differences.map(({ session, statement }) => [session, statement])).toEqual([
      ['s1', 1],
      ['s1', 1],
    ])
  })
})
