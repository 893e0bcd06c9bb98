// What ends a session that its client would go on with, and that nothing is left of one that could not begin.

import { Denied, RecordingFailed, secret } from '@sallyport/core'
import type { Frame, Identity, Judge, Login, Recording, Target, Verdict } from '@sallyport/core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Proved } from './gateway.js'
import { Sessions } from './sessions.js'

const robot: Identity = { id: 'robot', name: 'robot', kind: 'agent', groups: ['agents'] }
const shop: Target = {
  name: 'shop',
  protocol: 'postgres',
  address: 'db:5432',
  database: 'shop',
  databases: ['report_*'],
  tls: 'verify',
  labels: {},
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
}
const login = (target: string): Login => ({
  user: 'robot',
  target,
  protocol: 'postgres',
  proof: { kind: 'token', token: secret('sp_x') },
  client: { address: '127.0.0.1:1', loopback: true, tls: false },
})

function stage(verdict: Verdict = { kind: 'allow', rule: null }, append: (frame: Frame) => void = () => {}) {
  const state = { targets: [shop] as readonly Target[], granted: true, closed: [] as string[], token: undefined as Proved['token'] }
  const judge: Judge = { mayMask: false, mayRule: true, evaluate: () => verdict }
  const recording: Recording = {
    append,
    settled: () => undefined,
    close: async (outcome) => void state.closed.push(outcome),
  }
  const sessions = new Sessions({
    authenticator: {
      challenge: () => Promise.reject(new Error('not asked')),
      prove: async () => ({ identity: robot, ...(state.token === undefined ? {} : { token: state.token }) }),
    },
    recorder: { open: () => recording },
    reviews: { ask: () => Promise.reject(new Error('not asked')) },
    definitions: () => ({
      targets: state.targets,
      granted: () => state.granted,
      judgeFor: () => judge,
      credentialFor: async () => ({ kind: 'none' }),
    }),
    log: () => {},
  })
  return { sessions, state }
}

describe('definitions that changed', () => {
  it('cut the sessions without a grant, and no other', async () => {
    const { sessions, state } = stage()
    const session = await sessions.admit(login('shop'), undefined, undefined)
    expect(sessions.definitionsChanged()).toBe(0)
    state.granted = false
    expect(sessions.definitionsChanged()).toBe(1)
    expect(String(session.signal.reason)).toContain('grant')
  })

  it.each([
    ['another address', { address: 'elsewhere:5432' }],
    ['another TLS', { tls: 'off' as const }],
    ['another host key', { hostKey: 'ssh-ed25519 AAAA' }],
    ['another way there', { via: 'bastion' }],
    ['another database by default', { database: 'other' }],
  ])('cut the sessions whose target has %s: its credential of now is not for where they lead', async (_what, change) => {
    const { sessions, state } = stage()
    const session = await sessions.admit(login('shop'), undefined, undefined)
    state.targets = [{ ...shop, ...change }]
    expect(sessions.definitionsChanged()).toBe(1)
    expect(session.signal.aborted).toBe(true)
  })

  it('leave a session alone whose target has other labels, and whose database is still one that may be picked', async () => {
    const { sessions, state } = stage()
    await sessions.admit(login('shop'), undefined, undefined)
    await sessions.admit(login('shop.report_1'), undefined, undefined)
    state.targets = [{ ...shop, labels: { env: 'prod' } }]
    expect(sessions.definitionsChanged()).toBe(0)
    state.targets = [{ ...shop, databases: [] }]
    expect(sessions.definitionsChanged()).toBe(1)
  })
})

describe('a token that expires', () => {
  afterEach(() => vi.useRealTimers())

  it('ends its session, within a minute also where the clock was set', async () => {
    vi.useFakeTimers()
    const { sessions, state } = stage()
    const hourMs = 3_600_000
    state.token = { id: 't1', expiresAt: new Date(Date.now() + 8 * hourMs) }
    const [session, other] = [
      await sessions.admit(login('shop'), undefined, undefined),
      await sessions.admit(login('shop'), undefined, undefined),
    ]
    await vi.advanceTimersByTimeAsync(7 * hourMs)
    expect(session.signal.aborted).toBe(false)
    await other.close('over')
    vi.setSystemTime(Date.now() + 2 * hourMs)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(String(session.signal.reason)).toContain('expired')
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a session that may not begin', () => {
  it('is over, and its record closed, where connecting is denied', async () => {
    const { sessions, state } = stage({ kind: 'deny', cause: 'rule', rule: 'night', reason: 'not now' })
    await expect(sessions.admit(login('shop'), undefined, undefined)).rejects.toThrow(Denied)
    expect([sessions.size, state.closed]).toEqual([0, ['denied']])
  })

  it('leaves nothing behind where connecting cannot be recorded', async () => {
    const { sessions, state } = stage({ kind: 'deny', cause: 'rule', rule: 'night', reason: 'not now' }, () => {
      throw new RecordingFailed('spool-write', 'the disk is full')
    })
    await expect(sessions.admit(login('shop'), undefined, undefined)).rejects.toThrow('the disk is full')
    expect([sessions.size, state.closed]).toEqual([0, ['gateway fault']])
  })
})
