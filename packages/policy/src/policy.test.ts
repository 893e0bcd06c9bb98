// Verdicts: which rule counts, in what order, and which way doubt falls.
/* oxlint-disable unicorn/no-thenable -- `then` is the rule language's own word; it is never a function */

import { describe, expect, it } from 'vitest'
import { compilePolicy } from './policy.js'
import { rulesSchema } from './schema.js'
import type { Effect, Identity, Statement, Target, Verdict } from '@sallyport/core'

const agent: Identity = { id: 'a', name: 'billing-agent', kind: 'agent', groups: ['agents'], onBehalfOf: 'ada' }
const alone: Identity = { id: 'b', name: 'lone-agent', kind: 'agent', groups: [] }
const orders: Target = {
  name: 'orders',
  protocol: 'postgres',
  address: 'db:5432',
  databases: [],
  tls: 'verify',
  labels: { env: 'prod' },
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
}
const closed: Target = { ...orders, default: 'deny' }
const night = Date.UTC(2026, 10, 23, 3, 30)
const noon = Date.UTC(2026, 10, 23, 12, 0)

const select: Effect = {
  access: 'read',
  verb: 'select',
  object: 'public.customers',
  columns: ['public.customers.id', 'public.customers.email'],
}
const ids: Effect = { access: 'read', verb: 'select', object: 'public.customers', columns: ['public.customers.id'] }
const wipe: Effect = { access: 'write', verb: 'delete', object: 'public.orders', bounded: false }
const remove: Effect = { access: 'write', verb: 'delete', object: 'public.orders', bounded: true }
const drop: Effect = { access: 'schema', verb: 'drop', object: 'public.orders' }
const unknownCall: Effect = { access: 'unknown', verb: 'call', object: 'shop.total' }
const unparsed: Effect = { access: 'unknown', verb: 'unknown', object: '' }
const somewhere: Effect = { access: 'read', verb: 'select', object: '?.customers', columns: ['?.customers.email'] }

function statement(effects: readonly Effect[], more: Partial<Statement> = {}): Statement {
  return { id: 1, kind: 'query', text: 'select 1', parameters: [], effects, held: true, ...more }
}

interface Case {
  readonly target?: Target
  readonly identity?: Identity
  readonly rows?: number
  readonly nowMs?: number
  readonly statement?: Partial<Statement>
}

function verdict(rules: readonly unknown[], effects: readonly Effect[], more: Case = {}): Verdict {
  const policy = compilePolicy(rulesSchema.parse(rules))
  const facts = { nowMs: more.nowMs ?? noon, ...(more.rows === undefined ? {} : { rows: more.rows }) }
  return policy.judgeFor(more.identity ?? agent, more.target ?? orders).evaluate(statement(effects, more.statement), facts)
}

const denied = (rule: string): object => expect.objectContaining({ kind: 'deny', cause: 'rule', rule }) as object
const notUnderstood = (rule: string): object => expect.objectContaining({ kind: 'deny', cause: 'not-understood', rule }) as object
const allowed = { kind: 'allow', rule: null }

describe('each criterion', () => {
  const deny = (what: object, more: object = {}): object => ({ name: 'r', then: 'deny', what, ...more })
  it.each<[string, object, readonly Effect[], Case, boolean]>([
    ['access', deny({ access: ['schema', 'admin'] }), [drop], {}, true],
    ['access, other', deny({ access: ['schema', 'admin'] }), [wipe], {}, false],
    ['verbs', deny({ verbs: ['update', 'delete'] }), [wipe], {}, true],
    ['verbs, other', deny({ verbs: ['update'] }), [wipe], {}, false],
    ['verbs, in capitals', deny({ verbs: ['DELETE'] }), [wipe], {}, true],
    ['verbs, star', deny({ verbs: ['del*'] }), [wipe], {}, true],
    ['objects', deny({ objects: ['public.orders'] }), [ids, wipe], {}, true],
    ['objects, star', deny({ objects: ['*.orders'] }), [wipe], {}, true],
    ['objects, case counts', deny({ objects: ['public.Orders'] }), [wipe], {}, false],
    ['columns, any of the effect', deny({ columns: ['*.customers.email'] }), [select], {}, true],
    ['columns, none', deny({ columns: ['*.customers.email'] }), [ids], {}, false],
    ['columns, effect without', deny({ columns: ['*'] }), [drop], {}, false],
    ['bounded false', deny({ bounded: false }), [wipe], {}, true],
    ['bounded false, bounded', deny({ bounded: false }), [remove], {}, false],
    ['bounded true', deny({ bounded: true }), [remove], {}, true],
    ['bounded, not said', deny({ bounded: true }), [drop], {}, false],
    ['kinds', deny({ kinds: ['connect'] }), [], { statement: { kind: 'connect' } }, true],
    ['kinds, other', deny({ kinds: ['connect'] }), [], {}, false],
    ['text', deny({ text: '(?i)pg_sleep' }), [ids], { statement: { text: 'SELECT PG_SLEEP(1)' } }, true],
    ['text, other', deny({ text: 'pg_sleep' }), [ids], {}, false],
    ['all for one effect', deny({ verbs: ['delete'], objects: ['public.customers'] }), [select, wipe], {}, false],
    ['who kind', { name: 'r', then: 'deny', who: { kind: 'agent' } }, [ids], {}, true],
    ['who kind, other', { name: 'r', then: 'deny', who: { kind: 'person' } }, [ids], {}, false],
    ['who groups', { name: 'r', then: 'deny', who: { groups: ['ag*'] } }, [ids], {}, true],
    ['who groups, other', { name: 'r', then: 'deny', who: { groups: ['dba'] } }, [ids], {}, false],
    ['who names', { name: 'r', then: 'deny', who: { names: ['billing-*'] } }, [ids], {}, true],
    ['who onBehalfOf', { name: 'r', then: 'deny', who: { onBehalfOf: ['ada'] } }, [ids], {}, true],
    ['who onBehalfOf, nobody', deny({}, { who: { onBehalfOf: ['*'] } }), [ids], { identity: alone }, false],
    ['where targets', { name: 'r', then: 'deny', where: { targets: ['ord*'] } }, [ids], {}, true],
    ['where targets, other', { name: 'r', then: 'deny', where: { targets: ['crm'] } }, [ids], {}, false],
    ['where labels', { name: 'r', then: 'deny', where: { labels: { env: ['prod', 'stage'] } } }, [ids], {}, true],
    ['where labels, other', { name: 'r', then: 'deny', where: { labels: { env: 'dev' } } }, [ids], {}, false],
    ['where labels, missing', { name: 'r', then: 'deny', where: { labels: { toString: '*' } } }, [ids], {}, false],
    ['when', { name: 'r', then: 'deny', when: 'now.hour < 6' }, [ids], { nowMs: night }, true],
    ['when, other', { name: 'r', then: 'deny', when: 'now.hour < 6' }, [ids], { nowMs: noon }, false],
    [
      'when, parameters',
      { name: 'r', then: 'deny', when: 'statement.parameters.exists(p, p == "7")' },
      [ids],
      { statement: { parameters: [null, '7'] } },
      true,
    ],
    ['programs, in a query', deny({ programs: ['rm'] }), [wipe, unparsed], {}, false],
    ['programs, in a command', deny({ programs: ['rm'] }), [ids], { statement: { kind: 'command' } }, true],
    ['nothing touched, effect named', deny({ access: ['read', 'write', 'schema', 'admin', 'unknown'] }), [], {}, false],
    ['nothing touched, no effect named', { name: 'r', then: 'deny' }, [], {}, true],
  ])('%s', (_, rule, effects, more, matches) => {
    expect(verdict([rule], effects, more).kind).toBe(matches ? 'deny' : 'allow')
  })
})

describe('what was not understood', () => {
  it.each<[string, object]>([
    ['access', { access: ['schema'] }],
    ['verbs', { verbs: ['drop'] }],
    ['objects', { objects: ['public.orders'] }],
    ['columns', { columns: ['*.customers.email'] }],
    ['bounded', { bounded: false }],
  ])('counts for a deny rule that names %s', (_, what) => {
    expect(verdict([{ name: 'r', then: 'deny', what }], [unparsed])).toEqual(notUnderstood('r'))
  })

  it('says what was not understood, which rule, and how to vouch', () => {
    const ruling = verdict(
      [{ name: 'no-drops', then: 'deny', what: { verbs: ['drop'] }, reason: 'Ask a DBA.' }],
      [ids, unknownCall],
    )
    expect(ruling).toEqual({
      kind: 'deny',
      cause: 'not-understood',
      rule: 'no-drops',
      reason: 'What call of shop.total would do is not known, and this rule could apply to it. Ask a DBA.',
      hint: 'Where shop.total does no harm, an operator can vouch for it in `trust: { functions }` of orders.',
    })
  })

  it('is an ordinary match where the rule names it', () => {
    expect(verdict([{ name: 'r', then: 'deny', what: { verbs: ['call'], objects: ['shop.total'] } }], [unknownCall])).toEqual(
      denied('r'),
    )
    expect(verdict([{ name: 'r', then: 'deny', what: { access: ['unknown'] } }], [unparsed])).toEqual(denied('r'))
  })

  it('does not widen who, where, kinds, when or text', () => {
    const rules = [
      { name: 'who', then: 'deny', who: { kind: 'person' } },
      { name: 'where', then: 'deny', where: { targets: ['crm'] } },
      { name: 'kinds', then: 'deny', what: { kinds: ['connect'] } },
      { name: 'when', then: 'deny', when: 'now.hour < 6' },
      { name: 'text', then: 'deny', what: { text: 'nothing like it' } },
    ]
    expect(verdict(rules, [unparsed])).toEqual(allowed)
  })

  it('asks people where only a review rule could apply', () => {
    const rules = [{ name: 'r', then: 'review', what: { verbs: ['delete'], bounded: false }, reviewers: { groups: ['dba'] } }]
    expect(verdict(rules, [unparsed])).toMatchObject({ kind: 'review', then: allowed })
  })

  it('cannot be masked, not even beside columns that can', () => {
    const mask = { name: 'm', then: 'mask', what: { columns: ['*.customers.email'] } }
    expect(verdict([mask], [unknownCall])).toEqual(notUnderstood('m'))
    expect(verdict([mask], [select, unknownCall])).toEqual(notUnderstood('m'))
    expect(verdict([mask, { name: 'r', then: 'review', reviewers: { names: ['bo'] } }], [unparsed])).toEqual(notUnderstood('m'))
  })

  it('treats a table of an unknown schema as any that fits', () => {
    const deny = (object: string): readonly object[] => [{ name: 'r', then: 'deny', what: { objects: [object] } }]
    expect(verdict(deny('public.customers'), [somewhere])).toEqual(notUnderstood('r'))
    expect(verdict(deny('*.customers'), [somewhere])).toEqual(denied('r'))
    expect(verdict(deny('public.*'), [somewhere])).toEqual(notUnderstood('r'))
    expect(verdict(deny('public.invoices'), [somewhere])).toEqual(allowed)
    expect(verdict([{ name: 'm', then: 'mask', what: { columns: ['*.customers.email'] } }], [somewhere])).toEqual(
      notUnderstood('m'),
    )
    expect(verdict([{ name: 'm', then: 'mask', what: { columns: ['*.customers.ssn'] } }], [somewhere])).toEqual(allowed)
  })
})

describe('the strictest wins', () => {
  const deny = { name: 'd', then: 'deny', reason: 'No.', hint: 'Ask.' }
  const review = { name: 'r', then: 'review', reviewers: { groups: ['dba'], count: 2 }, within: '5m', reason: 'Why?' }
  const mask = { name: 'm', then: 'mask', what: { columns: ['*.email'] }, with: 'hash' }
  const allow = { name: 'a', then: 'allow' }
  const masks = [{ column: 'public.customers.email', with: 'hash', rule: 'm' }]
  const ask = { rule: 'r', reason: 'Why?', reviewers: { groups: ['dba'], names: [], count: 2 }, withinMs: 300_000 }

  it('deny, review, mask, allow', () => {
    expect(verdict([allow, mask, review, deny], [select])).toEqual({
      kind: 'deny',
      cause: 'rule',
      rule: 'd',
      reason: 'No.',
      hint: 'Ask.',
    })
    expect(verdict([allow, mask, review], [select])).toEqual({
      kind: 'review',
      asks: [ask],
      then: { kind: 'mask', rule: 'm', masks },
    })
    expect(verdict([allow, review], [select])).toEqual({ kind: 'review', asks: [ask], then: { kind: 'allow', rule: 'a' } })
    expect(verdict([allow, mask], [select])).toEqual({ kind: 'mask', rule: 'm', masks })
    expect(verdict([allow], [select])).toEqual({ kind: 'allow', rule: 'a' })
    expect(verdict([], [select])).toEqual(allowed)
  })

  it('names the first deny rule, a sure one before one in doubt', () => {
    expect(verdict([deny, { ...deny, name: 'd2' }], [ids])).toEqual(denied('d'))
    const doubtful = { name: 'doubt', then: 'deny', what: { verbs: ['drop'] } }
    expect(verdict([doubtful, { name: 'sure', then: 'deny', what: { verbs: ['select'] } }], [ids, unparsed])).toEqual(
      denied('sure'),
    )
  })

  it('asks for every review rule', () => {
    const verdictOfTwo = verdict([review, { ...review, name: 'r2', within: undefined }], [ids])
    expect(verdictOfTwo).toMatchObject({ kind: 'review', asks: [{ rule: 'r' }, { rule: 'r2', withinMs: 900_000 }] })
  })

  it('adds masks up, and keeps the stricter of two for one column', () => {
    const two = verdict([mask, { name: 'm2', then: 'mask', what: { columns: ['public.customers.*'] }, with: 'null' }], [select])
    expect(two).toEqual({
      kind: 'mask',
      rule: 'm',
      masks: [
        { column: 'public.customers.email', with: 'null', rule: 'm2' },
        { column: 'public.customers.id', with: 'null', rule: 'm2' },
      ],
    })
  })

  it('redacts where a mask does not say with what', () => {
    expect(verdict([{ name: 'm', then: 'mask', what: { columns: ['*.email'] } }], [select])).toMatchObject({
      masks: [{ with: 'redact' }],
    })
  })

  it('does not mask what is written', () => {
    const set: Effect = {
      access: 'write',
      verb: 'update',
      object: 'public.customers',
      columns: ['public.customers.email'],
      bounded: true,
    }
    expect(verdict([mask], [set])).toEqual(allowed)
  })
})

describe('a target that denies by default', () => {
  const at = { target: closed }
  const read = { name: 'reads', then: 'allow', what: { access: ['read'] } }
  const mask = { name: 'm', then: 'mask', what: { columns: ['*.email'] } }

  it('needs every effect covered', () => {
    expect(verdict([read], [ids], at)).toEqual({ kind: 'allow', rule: 'reads' })
    expect(verdict([read], [ids, remove], at)).toEqual({
      kind: 'deny',
      cause: 'default',
      rule: null,
      reason: 'On orders only what a rule allows may be done, and no rule allows delete on public.orders.',
    })
    const deletes = { name: 'deletes', then: 'review', what: { verbs: ['delete'] }, reviewers: { groups: ['dba'] } }
    expect(verdict([read, deletes], [ids, remove], at)).toMatchObject({ kind: 'review', then: { kind: 'allow', rule: 'reads' } })
    expect(verdict([], [], at)).toEqual(allowed)
  })

  it('takes an allow rule for columns only where it names them all', () => {
    const id = { name: 'ids', then: 'allow', what: { columns: ['*.customers.id'] } }
    expect(verdict([id], [ids], at).kind).toBe('allow')
    expect(verdict([id], [select], at).kind).toBe('deny')
    expect(verdict([mask], [select], at).kind).toBe('deny')
    expect(verdict([read, mask], [select], at).kind).toBe('mask')
  })

  it('never lets doubt allow', () => {
    const loose = [
      { name: 'verbs', then: 'allow', what: { verbs: ['*'] } },
      { name: 'objects', then: 'allow', what: { objects: ['*'] } },
      { name: 'access', then: 'allow', what: { access: ['read', 'write', 'schema', 'admin'] } },
    ]
    expect(verdict(loose, [unknownCall], at).kind).toBe('deny')
    expect(
      verdict([{ name: 'u', then: 'allow', what: { access: ['unknown'], objects: ['shop.*'] } }], [unknownCall], at).kind,
    ).toBe('allow')
    expect(verdict([{ name: 'all', then: 'allow' }], [unknownCall], at).kind).toBe('allow')
    const one = [{ name: 'one', then: 'allow', what: { objects: ['public.customers'] } }]
    expect(verdict(one, [somewhere], at).kind).toBe('deny')
    expect(
      verdict([{ name: 'later', then: 'allow', what: { paths: ['/a'] } }], [ids], { ...at, statement: { kind: 'request' } }).kind,
    ).toBe('deny')
  })

  it('does not count a condition that fails to evaluate', () => {
    expect(verdict([{ ...read, when: 'target.labels.team == "x"' }], [ids], at).kind).toBe('deny')
    expect(verdict([{ ...read, when: 'target.labels.env == "prod"' }], [ids], at).kind).toBe('allow')
  })
})

describe('conditions', () => {
  it('that fail to evaluate count as holding for a rule that restricts', () => {
    expect(verdict([{ name: 'r', then: 'deny', when: 'target.labels.team == "x"' }], [ids])).toEqual(denied('r'))
    expect(verdict([{ name: 'r', then: 'deny', when: 'statement.parameters[9] == "x"' }], [ids])).toEqual(denied('r'))
    expect(verdict([{ name: 'r', then: 'deny', when: 'now.hour < 6' }], [ids], { nowMs: Number.NaN })).toEqual(denied('r'))
  })

  it('on a text too long to be searched count as holding', () => {
    const text = 'x'.repeat(70_000)
    expect(verdict([{ name: 'r', then: 'deny', what: { text: 'y' } }], [ids], { statement: { text } })).toEqual(denied('r'))
  })

  it('are looked at each time, not remembered', () => {
    const judge = compilePolicy(rulesSchema.parse([{ name: 'r', then: 'deny', when: 'now.hour < 6' }])).judgeFor(agent, orders)
    const asked = statement([ids])
    expect(judge.evaluate(asked, { nowMs: noon }).kind).toBe('allow')
    expect(judge.evaluate(asked, { nowMs: night }).kind).toBe('deny')
    expect(judge.evaluate(asked, { nowMs: noon }).kind).toBe('allow')
  })

  it('on the kind of statement are not confused by a shared list of effects', () => {
    const judge = compilePolicy(rulesSchema.parse([{ name: 'r', then: 'deny', what: { kinds: ['connect'] } }])).judgeFor(
      agent,
      orders,
    )
    const effects: readonly Effect[] = []
    expect(judge.evaluate(statement(effects), { nowMs: noon }).kind).toBe('allow')
    expect(judge.evaluate(statement(effects, { kind: 'connect' }), { nowMs: noon }).kind).toBe('deny')
    expect(judge.evaluate(statement(effects), { nowMs: noon }).kind).toBe('allow')
  })
})

describe('rowsOver', () => {
  const stop = { name: 's', then: 'deny', what: { access: ['read'], rowsOver: 1000 } }
  const ask = { name: 'r', then: 'review', what: { rowsOver: 10 }, reviewers: { groups: ['dba'] } }

  it('is a limit before the statement runs, the lowest of all that match', () => {
    expect(verdict([stop], [ids])).toEqual({ kind: 'allow', rule: null, rowsUpTo: 1000 })
    expect(verdict([stop, ask], [ids])).toEqual({ kind: 'allow', rule: null, rowsUpTo: 10 })
    expect(verdict([stop], [wipe])).toEqual(allowed)
    expect(verdict([stop], [unparsed])).toEqual({ kind: 'allow', rule: null, rowsUpTo: 1000 })
  })

  it('fires when one row more is asked for, and never gives the same limit twice', () => {
    expect(verdict([stop, ask], [ids], { rows: 11 })).toMatchObject({ kind: 'review', then: { kind: 'allow', rowsUpTo: 1000 } })
    expect(verdict([stop, ask], [ids], { rows: 1001 })).toEqual(denied('s'))
    expect(verdict([stop], [ids], { rows: 1000 })).toEqual({ kind: 'allow', rule: null, rowsUpTo: 1000 })
    expect(verdict([ask], [ids], { rows: 11 })).toMatchObject({ kind: 'review', then: allowed })
  })

  it('goes with a mask', () => {
    const mask = { name: 'm', then: 'mask', what: { columns: ['*.email'] } }
    expect(verdict([mask, stop], [select])).toMatchObject({ kind: 'mask', rowsUpTo: 1000 })
  })
})

describe('a judge', () => {
  it('tells whether rules and masks could apply at all', () => {
    const rules = rulesSchema.parse([{ name: 'm', then: 'mask', who: { kind: 'agent' }, what: { columns: ['*.email'] } }])
    const policy = compilePolicy(rules)
    const person: Identity = { id: 'p', name: 'p', kind: 'person', groups: [] }
    expect(policy.judgeFor(agent, orders)).toMatchObject({ mayMask: true, mayRule: true })
    expect(policy.judgeFor(person, orders)).toMatchObject({ mayMask: false, mayRule: false })
    expect(policy.judgeFor(person, closed)).toMatchObject({ mayMask: false, mayRule: true })
  })

  it('gives the very same verdict for the same understanding', () => {
    const judge = compilePolicy(rulesSchema.parse([{ name: 'r', then: 'deny', what: { verbs: ['drop'] } }])).judgeFor(agent, orders)
    const effects = [ids]
    expect(judge.evaluate(statement(effects), { nowMs: 1 })).toBe(judge.evaluate(statement(effects, { id: 2 }), { nowMs: 2 }))
  })
})
