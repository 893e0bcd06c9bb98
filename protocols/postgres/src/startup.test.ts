import { describe, expect, it } from 'vitest'
import { int32 } from './messages.js'
import { allowedSettings, readOptions, readStartup } from './startup.js'

function packet(version: number, pairs: Record<string, string>): Buffer {
  const body = Buffer.concat([
    int32(version),
    ...Object.entries(pairs).map(([name, value]) => Buffer.from(`${name}\0${value}\0`)),
    Buffer.from([0]),
  ])
  return Buffer.concat([int32(body.length + 4), body])
}

const v3 = (minor: number): number => (3 << 16) | minor
const settings = (pairs: Record<string, string>): Record<string, string> =>
  Object.fromEntries(allowedSettings(new Map(Object.entries(pairs))))

describe('the start-up packet', () => {
  it('speaks 3.0 and 3.2 without negotiation', () => {
    expect(readStartup(packet(v3(0), { user: 'a' }))).toMatchObject({ minor: 0, negotiation: undefined })
    expect(readStartup(packet(v3(2), { user: 'a' }))).toMatchObject({ minor: 2, negotiation: undefined })
  })

  it('grants 3.2 where more is asked, and names what it does not know', () => {
    const { minor, negotiation, parameters } = readStartup(packet(v3(9999), { user: 'a', '_pq_.test_protocol_negotiation': '' }))
    expect(minor).toBe(2)
    expect(parameters.has('_pq_.test_protocol_negotiation')).toBe(false)
    expect(negotiation?.toString('latin1')).toBe(`v\0\0\0\x2b\0\x03\0\x02\0\0\0\x01_pq_.test_protocol_negotiation\0`)
  })

  it.each([
    ['protocol 2', packet(2 << 16, {}), 'not spoken here'],
    ['a name twice', Buffer.concat([packet(v3(0), { user: 'a' }).subarray(0, -1), Buffer.from('user\0b\0\0')]), 'given twice'],
    ['an end that is missing', packet(v3(0), { user: 'a' }).subarray(0, -1), 'malformed'],
    ['bytes after the end', Buffer.concat([packet(v3(0), { user: 'a' }), Buffer.from('x')]), 'too many'],
  ])('refuses %s', (_name, bytes, words) => {
    expect(() => readStartup(bytes)).toThrow(words)
  })
})

describe('start-up parameters', () => {
  it('pins what the meaning of texts depends on', () => {
    expect(settings({ user: 'a', database: 'b' })).toEqual({ client_encoding: 'UTF8', standard_conforming_strings: 'on' })
    expect(settings({ client_encoding: 'SQL_ASCII' })).toMatchObject({ client_encoding: 'UTF8' })
  })

  it('passes harmless settings, also from options', () => {
    expect(settings({ TimeZone: 'UTC', options: '-c statement_timeout=5s --extra-float-digits=3 -cjit=off' })).toMatchObject({
      timezone: 'UTC',
      statement_timeout: '5s',
      extra_float_digits: '3',
      jit: 'off',
    })
  })

  it.each([
    [{ role: 'admin' }, 'role'],
    [{ replication: 'database' }, 'replication'],
    [{ replication: 'true' }, 'replication'],
    [{ client_encoding: 'GBK' }, 'UTF8'],
    [{ options: '-c standard_conforming_strings=off' }, 'must stay on'],
    [{ options: '-c role=admin' }, 'role'],
    [{ search_path: 'priv' }, 'search_path'],
    [{ options: '-c session_preload_libraries=x' }, 'session_preload_libraries'],
    [{ options: '--work-mem' }, 'options'],
    [{ options: '-d 5' }, 'options'],
  ])('refuses %j', (pairs, words) => {
    expect(() => settings(pairs as Record<string, string>)).toThrow(words)
  })

  it('reads options as the server does', () => {
    expect(readOptions(String.raw`-c search_path=a\ b,c`)).toEqual([['search_path', 'a b,c']])
  })
})
