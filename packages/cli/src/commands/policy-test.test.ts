import type { Verdict } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { misses } from './policy-test.js'

const test = { identity: 'i', target: 't', statement: 's' } as const
const allow: Verdict = { kind: 'allow', rule: null }
const deny: Verdict = { kind: 'deny', cause: 'rule', rule: 'no', reason: 'because' }
const mask: Verdict = { kind: 'mask', rule: 'm1', masks: [{ column: 'a.b.c', with: 'redact', rule: 'm2' }] }
const review: Verdict = {
  kind: 'review',
  asks: [{ rule: 'r', reason: '', reviewers: { groups: ['g'], names: [], count: 1 }, withinMs: 1 }],
  then: { kind: 'allow', rule: null },
}

describe('an expected ruling', () => {
  it.each([
    [{ ...test, expect: 'allow' as const }, allow, undefined],
    [{ ...test, expect: 'deny' as const, rule: 'no' }, deny, undefined],
    [{ ...test, expect: 'deny' as const, rule: 'other' }, deny, 'deny by no: because'],
    [{ ...test, expect: 'mask' as const, rule: 'm2' }, mask, undefined],
    [{ ...test, expect: 'allow' as const }, mask, 'mask a.b.c with redact by m2'],
    [{ ...test, expect: 'review' as const, rule: 'r' }, review, undefined],
    [{ ...test, expect: 'allow' as const }, review, 'review by r, then allow'],
  ])('%j', (expected, verdict, got) => expect(misses(expected, { granted: true, verdict })).toBe(got))

  it('is missed where no grant lets anybody ask', () => {
    expect(misses({ ...test, expect: 'deny' }, { granted: false, verdict: deny })).toBe('no grant: the connection is refused')
  })
})
