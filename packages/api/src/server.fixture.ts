// The API's parts as tests use them: four people, a session, a review.

import { Denied, secret } from '@sallyport/core'
import type { Identity, ReviewRecord, SessionSummary } from '@sallyport/core'
import type { ApiParts, LoggedIn } from './ports.js'

const people: Readonly<Record<string, Identity>> = {
  'token-of-agent': { id: 'agent', name: 'agent', kind: 'agent', groups: ['agents'], onBehalfOf: 'ann' },
  'token-of-ann': { id: 'ann', name: 'ann', kind: 'person', groups: ['staff'] },
  'token-of-dora': { id: 'dora', name: 'dora', kind: 'person', groups: ['dba'] },
  'token-of-otto': { id: 'otto', name: 'otto', kind: 'person', groups: ['oncall'] },
  'token-of-olga': { id: 'olga', name: 'olga', kind: 'person', groups: ['operators'] },
}

const session: SessionSummary = {
  id: 's1',
  identity: 'agent',
  onBehalfOf: 'ann',
  target: 'shop',
  protocol: 'postgres',
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: null,
  statements: 1,
  denied: 0,
  outcome: null,
  kind: 'agent',
  groups: ['agents'],
  client: '127.0.0.1:5000',
  application: null,
  node: 'n',
  bytes: 0,
}

const review: ReviewRecord = {
  id: 'r1',
  session: 's1',
  statement: 1,
  identity: 'agent',
  onBehalfOf: 'ann',
  target: 'shop',
  text: 'delete from orders',
  parameters: [],
  effects: [],
  asks: [{ rule: 'unbounded', reason: 'all rows', reviewers: { groups: ['dba'], names: [], count: 1 }, withinMs: 60_000 }],
  createdAt: new Date(0),
  expiresAt: new Date(60_000),
  settledAt: null,
  state: 'open',
  decisions: [],
}

const loggedIn: LoggedIn = {
  token: secret('sp_ofMia'),
  record: {
    id: 't9',
    identity: 'mia',
    onBehalfOf: null,
    createdAt: new Date(0),
    expiresAt: new Date(1000),
    revokedAt: null,
    createdBy: 'login at corp',
  },
}

/** Every part the API needs, and what was asked of them. */
export function apiFixture(): { readonly parts: ApiParts; readonly did: unknown[] } {
  const did: unknown[] = []
  const parts: ApiParts = {
    adminToken: secret('admin-token'),
    cookieKey: Buffer.alloc(32, 1),
    authorityPem: 'PEM',
    sshHostKey: 'ssh-ed25519 AAAA',
    sshAuthority: { publicKey: 'ssh-ed25519 BBBB', hosts: ['[127.0.0.1]:12222'] },
    sshCertificate: async ({ tokenId, ttlMs }) => ({ certificate: `of ${tokenId}`, identity: 'ann', expiresAt: new Date(ttlMs) }),
    hosts: ['gateway.example'],
    operators: () => ({ groups: ['operators'], endSessions: ['oncall'] }),
    prove: async (token) => {
      const identity = people[token.reveal()]
      if (identity === undefined) throw new Denied('unauthenticated', 'not proved')
      return { identity, token: { id: 't1', expiresAt: new Date(1000) } }
    },
    logins: {
      providers: [{ name: 'corp', flows: ['browser', 'device'] }],
      device: async (provider, { from }) => {
        did.push(['device', provider, from])
        if (provider === 'none') throw new Denied('no-such-provider', 'there is: corp')
        const settle = async (): Promise<LoggedIn> => loggedIn
        return {
          userCode: 'ABCD',
          address: 'https://login.example/device',
          addressWithCode: undefined,
          expiresAt: new Date(0),
          settle,
        }
      },
      browser: async (_provider, redirectUri) => ({
        url: `https://login.example/auth?back=${redirectUri}`,
        state: 's',
        login: 'sealed',
      }),
      finish: async (login) => {
        if (login !== 'sealed') throw new Denied('login-over', 'log in again')
        return loggedIn
      },
    },
    consoleAddress: () => 'http://127.0.0.1:7080',
    healthy: async () => true,
    status: async () => ({
      version: '0',
      node: 'n',
      startedAt: '',
      listeners: [],
      liveSessions: 0,
      revision: 1,
      database: { kind: 'embedded', healthy: true },
      recorder: {},
    }),
    reachable: () => [],
    sessions: {
      list: async (filter) => {
        did.push(['list', filter])
        return [session]
      },
      summary: async (id) => (id === 's1' ? session : undefined),
      statements: async () => [],
      search: async (text, filter) => {
        did.push(['search', text, filter])
        return []
      },
      events: async function* (filter) {
        did.push(['events', filter])
        yield { kind: 'ended', cursor: '1/2/s1', session }
      },
      evidence: async function* () {
        yield { session: {} }
      },
      cast: async function* () {
        yield { version: 2, width: 80, height: 24 }
      },
      replay: async function* () {
        yield { at: 1, from: 'client', text: 'select 1' }
        throw new Error('with a secret in it')
      },
      end: async (id, reason) => void did.push(['end', id, reason]),
    },
    reviews: {
      list: async () => [review],
      get: async (id) => (id === 'r1' ? review : undefined),
      decide: async (id, who, kind, reason) => {
        did.push(['decide', id, who, kind, reason])
        return { ...review, state: 'approved' }
      },
      onChange: () => () => {},
    },
    tokens: {
      create: async () => {
        throw new Error('a bug')
      },
      list: async () => [],
      revoke: async (id) => id === 't1',
    },
    definitions: {
      read: async () => ({ revision: 1, definitions: {} }),
      apply: async (_definitions, { dryRun, by }) => {
        did.push(['apply', dryRun, by])
        return { revision: 2, applied: !dryRun, changes: [], ended: 0 }
      },
    },
    explain: async () => ({ verdict: { kind: 'allow', rule: null }, effects: [], catalogue: true, rules: [], granted: true }),
    schema: async (target) => ({ target }),
    verify: async () => ({ whole: true, sessions: 0, faults: [], unpinned: [] }),
    log: (level, message, facts) => void did.push([level, message, facts]),
  }
  return { parts, did }
}
