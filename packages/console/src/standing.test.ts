import { describe, expect, it } from 'vitest'
import { approval, asked, dora } from './samples.fixture.js'
import type { Me, Review } from './shapes.js'
import { settledWords, standing } from './standing.js'

const during = Date.parse('2026-01-01T00:05:00Z')
const told = (review: Partial<Review>, me: Partial<Me>, now = during): string => {
  const answer = standing({ ...asked, ...review }, { ...dora, ...me }, now)
  return answer.kind === 'may' ? 'may' : answer.why
}

describe('whether I may decide', () => {
  it.each<readonly [string, Partial<Review>, Partial<Me>, RegExp]>([
    ['a member of the group', {}, {}, /^may$/],
    ['one who is named', {}, { name: 'ops-lea', groups: [] }, /^may$/],
    ['the admin', {}, { name: 'admin', kind: 'admin', groups: [] }, /^may$/],
    ['nobody who is not asked', {}, { groups: ['staff'] }, /not among/],
    ['not the caller', {}, { name: 'robot' }, /your own/],
    ['not whom the caller acts for', {}, { name: 'ann' }, /Your agent/],
    ['not through an agent', {}, { kind: 'agent', onBehalfOf: 'zoe' }, /own name/],
    ['not twice', { decisions: [approval('dora')] }, {}, /You have approved/],
    ['after another', { decisions: [approval('ben')] }, {}, /^may$/],
    ['not once it is settled', { state: 'denied', decisions: [{ ...approval('ben'), kind: 'deny' }] }, {}, /Denied by ben/],
    ['not once it was withdrawn', { state: 'withdrawn' }, {}, /withdrew/],
  ])('%s', (_name, review, me, words) => {
    expect(told(review, me)).toMatch(words)
  })

  it('not when the time is up, even before anybody says so', () => {
    expect(told({}, {}, Date.parse(asked.expiresAt))).toMatch(/time is up/)
  })

  it('matches names as rules do', () => {
    const may = (pattern: string, name: string): boolean =>
      told({ asks: [{ rule: 'r', reason: '', reviewers: { groups: [], names: [pattern], count: 1 } }] }, { name }) === 'may'
    expect([may('*', 'x'), may('a*c', 'abc'), may('a*b*c', 'a1b2c'), may('a*a', 'aa')]).toEqual([true, true, true, true])
    expect([may('a*c', 'abd'), may('a*b*c', 'ac'), may('a*a', 'a'), may('x', 'xx')]).toEqual([false, false, false, false])
  })
})

it('says how it ended', () => {
  const by = { ...asked, decisions: [approval('ben'), approval('dora')] }
  expect(settledWords({ ...by, state: 'approved' })).toBe('Approved by ben, dora.')
  expect(settledWords({ ...asked, state: 'expired' })).toBe('Nobody decided in time.')
})
