import { describe, expect, it } from 'vitest'
import { addressOf, noFilter, placeOf, queryOf } from './place.js'
import type { Place } from './place.js'

const at = (address: string): Place => {
  const [path = '', query = ''] = address.split('?')
  return placeOf(path, query)
}

describe('places', () => {
  it.each<Place>([
    { kind: 'reviews' },
    { kind: 'review', id: '25m7ydxx' },
    { kind: 'review', id: '../x y?&%' },
    { kind: 'session', id: 's1', statement: undefined },
    { kind: 'session', id: 's1', statement: 12 },
    { kind: 'sessions', filter: noFilter },
    { kind: 'sessions', filter: { ...noFilter, identity: 'a&b=c', live: true, since: '2026-01-01T10:00', before: 's9' } },
    { kind: 'search', text: 'drop 100% "x"', filter: { ...noFilter, target: 'shop', before: 's1', beforeStatement: '4' } },
    { kind: 'targets' },
    { kind: 'rules' },
  ])('%j has an address that leads back', (place) => {
    expect(at(addressOf(place))).toEqual(place)
  })

  it.each([
    ['/', 'reviews'],
    ['/sign-in', 'reviews'],
    ['/reviews/', 'reviews'],
    ['/nothing', 'nowhere'],
    ['/targets/x', 'nowhere'],
    ['/sessions/a/b', 'nowhere'],
    ['/%zz', 'nowhere'],
  ])('%s is %s', (address, kind) => {
    expect(at(address).kind).toBe(kind)
  })

  it('asks the API in its own words', () => {
    const since = '2026-01-01T10:00'
    const query = new URLSearchParams(queryOf({ ...noFilter, since, live: true, identity: 'x' }, { limit: '5' }))
    expect(Object.fromEntries(query)).toEqual({ limit: '5', since: new Date(since).toISOString(), live: 'true', identity: 'x' })
    expect(queryOf({ ...noFilter, since: 'nonsense' }, {})).toBe('')
  })
})
