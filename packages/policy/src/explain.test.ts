// Explanations name the rule and the criterion that decided.
/* oxlint-disable unicorn/no-thenable -- `then` is the rule language's own word; it is never a function */

import { expect, it } from 'vitest'
import { compilePolicy } from './policy.js'
import { rulesSchema } from './schema.js'
import type { Effect, Identity, Statement, Target } from '@sallyport/core'
import type { RuleFinding } from './explain.js'

const identity: Identity = { id: 'a', name: 'bot', kind: 'agent', groups: ['agents'] }
const target: Target = {
  name: 'orders',
  protocol: 'postgres',
  address: 'h:1',
  databases: [],
  tls: 'verify',
  labels: {},
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
}
const wipe: Effect = { access: 'write', verb: 'delete', object: 'public.orders', bounded: false }

function findings(rule: object, effects: readonly Effect[], rows?: number): RuleFinding | undefined {
  const policy = compilePolicy(rulesSchema.parse([{ name: 'r', then: 'deny', ...rule }]))
  const statement: Statement = { id: 1, kind: 'query', text: 'x', parameters: [], effects, held: true }
  const facts = { nowMs: Date.UTC(2026, 0, 1, 12), ...(rows === undefined ? {} : { rows }) }
  return policy.explain(identity, target, statement, facts).rules[0]
}

it.each<[string, object, readonly Effect[], RuleFinding['outcome'], RegExp]>([
  [
    'matched',
    { what: { verbs: ['delete'], bounded: false } },
    [wipe],
    'matched',
    /delete on public\.orders, not bounded: verbs \[delete\], bounded false hold/,
  ],
  [
    'nearest effect',
    { what: { verbs: ['delete'], objects: ['public.x'] } },
    [wipe],
    'not-matched',
    /objects \[public\.x\] does not hold/,
  ],
  ['who', { who: { groups: ['dba'] } }, [wipe], 'not-matched', /bot \(agent; groups: agents\) is not meant/],
  ['where', { where: { targets: ['crm'] } }, [wipe], 'not-matched', /target orders is not meant/],
  ['kinds', { what: { kinds: ['connect'] } }, [wipe], 'not-matched', /the statement is a query/],
  [
    'doubt',
    { what: { verbs: ['drop'] } },
    [{ access: 'unknown', verb: 'call', object: 'a.f' }],
    'could',
    /call of a\.f was not fully understood: it counts/,
  ],
  ['nothing touched', { what: { verbs: ['drop'] } }, [], 'not-matched', /touches nothing/],
  ['condition', { when: 'now.hour < 6' }, [wipe], 'not-matched', /now\.hour < 6 does not hold/],
  [
    'failed condition',
    { when: 'target.labels.a == "b"' },
    [wipe],
    'matched',
    /could not be evaluated \(No such key: a\), which counts as holding/,
  ],
  ['text', { what: { text: 'x' } }, [wipe], 'matched', /x holds/],
  ['rows to come', { what: { rowsOver: 5 } }, [wipe], 'rows', /fires after 5 rows/],
  [
    'a mask of writes',
    { then: 'mask', what: { columns: ['*'] } },
    [{ ...wipe, columns: ['a.b.c'] }],
    'not-matched',
    /a mask does not cover writes/,
  ],
])('%s', (_, rule, effects, outcome, says) => {
  const finding = findings(rule, effects)
  expect(finding?.outcome).toBe(outcome)
  expect(finding?.criteria.map((criterion) => criterion.says).join('\n')).toMatch(says)
})

it('after the rows', () => {
  expect(findings({ what: { rowsOver: 5 } }, [wipe], 6)).toMatchObject({ outcome: 'matched' })
})
