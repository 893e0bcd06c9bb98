import { describe, expect, it } from 'vitest'
import type { Target } from '@sallyport/core'
import { coverQuery, forClient, forTarget, holdsToken } from './headers.js'
import type { Route } from './routing.js'

const target = {
  name: 'crm',
  address: 'https://crm.internal:8443/api',
  http: { secretNames: ['X-Own', 'ticket'] },
} as unknown as Target
const route: Route = { target: 'crm', path: '/x', prefix: '/crm', origin: 'https://gateway.test', by: 'path' }
const shown = { user: 'robot', token: 'sp_0123456789abcdefghij', carriers: ['authorization'] }
const asPairs = (flat: readonly string[]): readonly (readonly [string, string])[] =>
  flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ''] as const] : []))

describe('what goes on to the target', () => {
  const sent = (fields: readonly (readonly [string, string])[]): Map<string, string> =>
    new Map(asPairs(forTarget(fields, route, { shown, host: '10.0.0.9' }, target)))

  it('names the target and us, whatever the caller said', () => {
    const fields = sent([
      ['host', 'evil'],
      ['x-forwarded-for', '6.6.6.6'],
      ['forwarded', 'for=6.6.6.6'],
      ['via', '1.1 evil'],
      ['x-forwarded-prefix', '/evil'],
    ])
    expect(Object.fromEntries(fields)).toEqual({
      host: 'crm.internal:8443',
      via: '1.1 sallyport',
      'x-forwarded-for': '10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'gateway.test',
      'x-forwarded-prefix': '/crm',
      forwarded: 'for=10.0.0.9;host="gateway.test";proto=https',
    })
  })

  it.each([
    'connection',
    'keep-alive',
    'proxy-authorization',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'http2-settings',
    'expect',
    'sallyport-token',
    'authorization',
  ])('not %s', (name) => expect(sent([[name, 'close']]).has(name)).toBe(false))

  it.each([
    ['origin', 'https://evil.test', 'https://evil.test'],
    ['origin', 'null', 'null'],
    ['referer', 'https://gateway.test/crm/home?a=1', 'https://crm.internal:8443/api/home?a=1'],
    ['referer', 'https://gateway.test/other/home', 'https://gateway.test/other/home'],
  ])('%s %s is %s to it', (name, value, own) => expect(sent([[name, value]]).get(name)).toBe(own))

  it.each([
    ['https://gateway.test/crm/home', 'https://crm.internal:8443'],
    ['https://gateway.test/wiki/page', 'https://gateway.test'],
    ['https://gateway.test/crm.evil/page', 'https://gateway.test'],
    ['https://gateway.test/', 'https://gateway.test'],
    [undefined, 'https://gateway.test'],
  ])('by path, a post of the page %s comes from %s', (referer, origin) => {
    const of = referer === undefined ? [] : [['referer', referer] as const]
    expect(sent([['origin', 'https://gateway.test'], ...of]).get('origin')).toBe(origin)
  })

  it("by host, our origin is the target's own, with and without the page", () => {
    const byHost: Route = { target: 'crm', path: '/x', prefix: '', origin: 'https://crm.gateway.test', by: 'host' }
    const fields = new Map(asPairs(forTarget([['origin', byHost.origin]], byHost, { shown, host: '10.0.0.9' }, target)))
    expect(fields.get('origin')).toBe('https://crm.internal:8443')
  })

  it('nor what Connection names, nor the token anywhere', () => {
    const fields = sent([
      ['connection', 'X-Hop, close'],
      ['x-hop', '1'],
      ['x-note', `token ${shown.token}`],
      ['x-other', 'sp_9876543210zyxwvutsrqponm'],
      ['x-mine', 'kept'],
    ])
    expect([...fields.keys()].filter((name) => name.startsWith('x-') && !name.startsWith('x-forwarded'))).toEqual(['x-mine'])
  })
})

describe('what comes back', () => {
  const back = (...pairs: readonly (readonly [string, string])[]): Record<string, string | string[]> =>
    forClient(
      pairs.flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value, 'latin1')]),
      route,
      target,
    )

  it.each([
    ['https://crm.internal:8443/api/there?x=1#y', 'https://gateway.test/crm/there?x=1#y'],
    ['//crm.internal:8443/api/there', 'https://gateway.test/crm/there'],
    ['/api/there', '/crm/there'],
    ['/api', '/crm/'],
    ['there', 'there'],
    ['/elsewhere', '/elsewhere'],
    ['https://other.test/api/there', 'https://other.test/api/there'],
    ['https://crm.internal:9/api/there', 'https://crm.internal:9/api/there'],
    ['http://[', 'http://['],
  ])('Location %s', (location, ours) => expect(back(['Location', location])['location']).toBe(ours))

  it.each([
    ['a=1; Path=/api/; Domain=crm.internal; HttpOnly', 'a=1; Path=/crm/; HttpOnly'],
    ['a=1; path=/', 'a=1; Path=/crm/'],
    ['a=1', 'a=1'],
  ])('Set-Cookie %s', (cookie, ours) => expect(back(['Set-Cookie', cookie])['set-cookie']).toEqual([ours]))

  it('a cookie that would go to every target is left out, but for a target with a host of its own', () => {
    const cookie = '__Host-a=1; Path=/; Secure'
    expect(back(['Set-Cookie', cookie])['set-cookie']).toBeUndefined()
    const host: Route = { ...route, prefix: '', by: 'host' }
    expect(forClient([Buffer.from('set-cookie'), Buffer.from(cookie)], host, target)['set-cookie']).toEqual([cookie])
  })

  it("keeps what stands twice, and drops what is each connection's own", () => {
    expect(
      back(
        ['X-A', '1'],
        ['x-a', '2'],
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['Connection', 'x-hop'],
        ['X-Hop', '1'],
        ['Alt-Svc', 'h3=":443"'],
      ),
    ).toEqual({
      'x-a': ['1', '2'],
      'set-cookie': ['a=1', 'b=2'],
    })
  })
})

describe('secrets', () => {
  it('in a query are covered by name, however it is written', () => {
    expect(coverQuery('/x?a=1&api_key=s&API_KEY=s&%61pi_key=s&ticket=s&token', target)).toBe(
      '/x?a=1&api_key=[covered]&API_KEY=[covered]&%61pi_key=[covered]&ticket=[covered]&token',
    )
    expect(coverQuery('/x?%ff=1&a', target)).toBe('/x?%ff=1&a')
  })

  it('a token is known anywhere', () => {
    expect(holdsToken('Bearer abc', 'abc')).toBe(false)
    expect(holdsToken('x abcdefghijkl y', 'abcdefghijkl')).toBe(true)
    expect(holdsToken('sp_0123456789abcdefghij', 'other')).toBe(true)
  })
})
