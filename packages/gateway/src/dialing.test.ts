import { describe, expect, it } from 'vitest'
import { endpointOf, leadsHome } from './dialing.js'

describe('where an address leads', () => {
  it.each([
    ['db.internal:5432', { host: 'db.internal', port: 5432 }],
    ['[::1]:22', { host: '::1', port: 22 }],
    ['https://crm.internal', { host: 'crm.internal', port: 443 }],
    ['http://[fd00::1]/api', { host: 'fd00::1', port: 80 }],
    ['https://crm.internal:8443/x', { host: 'crm.internal', port: 8443 }],
  ])('%s', (address, endpoint) => {
    expect(endpointOf(address)).toEqual(endpoint)
    // One host is one host, whatever is asked for.
    expect(endpointOf(address, { host: 'elsewhere', port: 1 })).toEqual(endpoint)
  })

  it('of many hosts only to one that is meant', () => {
    expect(endpointOf('https://*.pypi.org', { host: 'files.PyPI.org', port: 443 })).toEqual({ host: 'files.PyPI.org', port: 443 })
    for (const to of [undefined, { host: 'pypi.org', port: 443 }, { host: 'files.pypi.org', port: 22 }])
      expect(() => endpointOf('https://*.pypi.org', to)).toThrow(/many hosts/)
  })
})

it.each([
  ['evil.example', '127.0.0.1', true],
  ['evil.example', '127.8.8.8', true],
  ['evil.example', '169.254.169.254', true],
  ['evil.example', '0.0.0.0', true],
  ['evil.example', '::1', true],
  ['evil.example', '::ffff:127.0.0.1', true],
  ['evil.example', 'fe80::1', true],
  ['evil.example', '93.184.216.34', false],
  ['intern.example', '10.0.0.5', false],
  ['127.0.0.1', '127.0.0.1', false],
  ['localhost', '127.0.0.1', false],
  ['::1', '::1', false],
])('%s at %s leads home: %s', (host, address, home) => expect(leadsHome(host, address)).toBe(home))
