// What is known of names is never older than the last change of the schema that the gateway saw, and one session's end is no other's.

import { Unreachable } from '@sallyport/core'
import type { Reach, Target } from '@sallyport/core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { KeptCatalogues } from './kept-catalogues.js'

interface Asked {
  readonly reach: Reach
  readonly answer: (read: string) => void
  readonly fail: (error: Error) => void
}

const target: Target = {
  name: 'orders',
  protocol: 'postgres',
  address: 'db:5432',
  databases: [],
  tls: 'off',
  labels: {},
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
}

function kept(): { readonly catalogues: KeptCatalogues<string, string>; readonly asked: Asked[] } {
  const asked: Asked[] = []
  const catalogues = new KeptCatalogues<string, string>({
    placeOf: ({ name }) => name,
    read: (reach) => new Promise((resolve, reject) => asked.push({ reach, answer: resolve, fail: reject })),
    made: (read, before) => (before === undefined ? read : `${read} after ${before}`),
  })
  return { catalogues, asked }
}

const session = (signal = new AbortController().signal): Reach => ({
  target,
  signal,
  dial: () => Promise.reject(new Unreachable('target-unreachable', 'nothing is dialled here')),
})

afterEach(() => {
  vi.useRealTimers()
})

describe('what is known of the names at a target', () => {
  it('is read again before it is too old, once, while nobody waits; too old it is not used', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const { catalogues, asked } = kept()
    const first = catalogues.of(session(), 'fresh')
    asked[0]?.answer('one')
    await first
    const later = (ms: number): void => void vi.advanceTimersByTime(ms)
    later(19_000)
    expect(catalogues.of(session(), 'fresh')).toBe('one')
    expect(asked).toHaveLength(1)
    later(2_000)
    expect([catalogues.of(session(), 'fresh'), catalogues.of(session(), 'fresh')]).toEqual(['one', 'one'])
    expect(asked).toHaveLength(2)
    asked[1]?.fail(new Unreachable('target-unreachable', 'gone'))
    await new Promise(setImmediate)
    expect(catalogues.of(session(), 'fresh')).toBe('one')
    expect(asked).toHaveLength(2)
    later(2_000)
    expect(catalogues.of(session(), 'fresh')).toBe('one')
    expect(asked).toHaveLength(3)
    later(8_000)
    const waiting = catalogues.of(session(), 'fresh')
    expect(waiting).toBeInstanceOf(Promise)
    asked[2]?.answer('two')
    expect(await waiting).toBe('two after one')
  })

  it('is read once for all who wait', async () => {
    const { catalogues, asked } = kept()
    const [first, second] = [catalogues.of(session(), 'fresh'), catalogues.of(session(), 'any')]
    asked[0]?.answer('one')
    expect([await first, await second]).toEqual(['one', 'one'])
    expect(catalogues.of(session(), 'fresh')).toBe('one')
    expect(asked).toHaveLength(1)
  })

  it('is read again where the schema changed while it was being read, and all who wait get what was read last', async () => {
    const { catalogues, asked } = kept()
    const first = catalogues.of(session(), 'fresh')
    catalogues.markStale(session())
    const second = catalogues.of(session(), 'unknown-name')
    expect(asked).toHaveLength(2)
    asked[0]?.answer('old')
    asked[1]?.answer('new')
    expect([await first, await second]).toEqual(['new', 'new'])
    expect(catalogues.of(session(), 'fresh')).toBe('new')
  })

  it('is asked for anew where the session that asked has ended meanwhile', async () => {
    const { catalogues, asked } = kept()
    const ending = new AbortController()
    const theirs = catalogues.of(session(ending.signal), 'fresh')
    const ours = catalogues.of(session(), 'fresh')
    ending.abort()
    asked[0]?.fail(new Unreachable('target-unreachable', 'the session is over'))
    await expect(Promise.resolve(theirs)).rejects.toThrow('over')
    await new Promise(setImmediate)
    asked[1]?.answer('one')
    expect(await ours).toBe('one')
  })

  it('is not relied on after it could not be read again', async () => {
    const { catalogues, asked } = kept()
    const first = catalogues.of(session(), 'fresh')
    asked[0]?.answer('one')
    await first
    catalogues.markStale(session())
    const failing = [catalogues.of(session(), 'fresh'), catalogues.of(session(), 'fresh')]
    asked[1]?.fail(new Unreachable('target-unreachable', 'gone'))
    for (const each of failing) await expect(Promise.resolve(each)).rejects.toThrow('gone')
    const again = catalogues.of(session(), 'fresh')
    expect(asked).toHaveLength(3)
    asked[2]?.answer('two')
    expect(await again).toBe('two after one')
    expect(catalogues.of(session(), 'any')).toBe('two after one')
  })
})
