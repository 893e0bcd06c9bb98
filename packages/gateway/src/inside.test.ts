// Which target a forwarded address leads to, and who may log in there.

import { describe, expect, it } from 'vitest'
import type { Identity, Target } from '@sallyport/core'
import { holdWithin, targetsAt } from './inside.js'

const target = (name: string, protocol: string, address: string): Target => ({
  name,
  protocol,
  address,
  databases: [],
  tls: 'off',
  labels: {},
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
})
const targets = [
  target('orders', 'postgres', 'db.internal:5433'),
  target('six', 'mysql', '[fd00::1]:3306'),
  target('crm', 'http', 'https://crm.internal'),
  target('any', 'http', 'https://*.corp.internal'),
]
const at = (host: string, port: number): readonly string[] => targetsAt(targets, host, port).map(({ name }) => name)

describe('targetsAt', () => {
  it('finds a target by its address, however it is spelled', () => {
    expect(at('db.internal', 5433)).toEqual(['orders'])
    expect(at('DB.Internal.', 5433)).toEqual(['orders'])
    expect(at('fd00::1', 3306)).toEqual(['six'])
    expect(at('[fd00::1]', 3306)).toEqual(['six'])
    expect(at('crm.internal', 443)).toEqual(['crm'])
    expect(at('a.corp.internal', 443)).toEqual(['any'])
  })
  it('finds it by its name, at its own port or the usual one', () => {
    expect(at('orders', 5432)).toEqual(['orders'])
    expect(at('Orders', 5433)).toEqual(['orders'])
    expect(at('crm', 80)).toEqual(['crm'])
  })
  it('finds nothing else', () => {
    expect(at('db.internal', 22)).toEqual([])
    expect(at('orders', 22)).toEqual([])
    expect(at('other.internal', 5433)).toEqual([])
    expect(at('corp.internal', 443)).toEqual([])
    expect(at('', 5433)).toEqual([])
  })
})

describe('holdWithin', () => {
  const robot: Identity = { id: '1', name: 'robot', kind: 'agent', groups: [], onBehalfOf: 'ann' }
  const bounds = { identity: robot, targets: ['orders'] }
  const [orders = target('', '', ''), six = target('', '', '')] = targets
  it('lets the same identity to the same target', () => expect(() => holdWithin(bounds, { ...robot }, orders)).not.toThrow())
  it.each([
    ['another', { ...robot, id: '2', name: 'bot' }],
    ['the same agent for somebody else', { ...robot, onBehalfOf: 'bob' }],
  ])('refuses %s', (_, who) => expect(() => holdWithin(bounds, who, orders)).toThrow('target orders as robot'))
  it('refuses another target', () => expect(() => holdWithin(bounds, robot, six)).toThrow('target orders as robot'))
})
