// A review and a reviewer, to be varied by tests.

import type { Me, Review } from './shapes.js'

export const dora: Me = {
  name: 'dora',
  kind: 'person',
  groups: ['dba'],
  onBehalfOf: null,
  operator: false,
  mayEndSessions: false,
  expiresAt: null,
}

export const asked: Review = {
  id: 'r1',
  session: 's1',
  statement: 1,
  identity: 'robot',
  onBehalfOf: 'ann',
  target: 'shop',
  text: 'delete from carts',
  parameters: [],
  effects: [],
  asks: [{ rule: 'unbounded', reason: 'all rows', reviewers: { groups: ['dba'], names: ['ops-*'], count: 2 } }],
  createdAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-01T00:15:00.000Z',
  settledAt: null,
  state: 'open',
  decisions: [],
}

export const approval = (reviewer: string): Review['decisions'][number] => ({
  reviewer,
  kind: 'approve',
  reason: '',
  at: '2026-01-01T00:01:00.000Z',
})
