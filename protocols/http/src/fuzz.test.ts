// Requests and answers made by chance, some of them broken: whatever comes, nothing is thrown but a refusal, the caller's token stays here, and
// what cannot be read in one way counts as not understood. The chance is the same every run, so that a failure can be seen again.

import { describe, expect, it } from 'vitest'
import type { Target } from '@sallyport/core'
import { dice, oneOf } from '@sallyport/testkit'
import type { Dice } from '@sallyport/testkit'
import { readBody } from './body-facts.js'
import { coverQuery, forClient, forTarget } from './headers.js'
import type { Fields, Request } from './message.js'
import { watchModel } from './models.js'
import { Refused } from './refusal.js'
import { routeOf } from './routing.js'
import type { Route } from './routing.js'
import { trailersOf } from './trailers.js'
import { understand } from './understand.js'

const token = 'sp_PLANTEDtoken0123456789abcdef'
const target = {
  name: 'crm',
  protocol: 'http',
  address: 'https://crm.internal/api',
  http: { operations: [], secretNames: ['x-own'], readBodyBytes: 1000, recordBodyBytes: 1000, patienceMs: 1, http2: 'auto' },
} as unknown as Target
const route: Route = { target: 'crm', path: '/x', prefix: '/crm', origin: 'https://gateway.test', by: 'path' }
const shown = { user: '', token, carriers: ['authorization'] }

const some = <T>(roll: Dice, most: number, make: () => T): readonly T[] => Array.from({ length: roll(most + 1) }, make)

const names =
  'host connection te trailer upgrade via forwarded x-forwarded-for cookie authorization x-api-key x-own x-sum content-length content-type origin referer location set-cookie refresh x-http-method-override transfer-encoding keep-alive'.split(
    ' ',
  )
const values = [
  '',
  'a, b',
  'x-sum',
  'close',
  `Bearer ${token}`,
  token,
  'https://gateway.test/crm/x',
  'https://crm.internal/api/y',
  '//crm.internal/z',
  'a=b; Path=/api; Domain=crm.internal',
  '0; url=/api/x',
  '\u0000\u00ff',
  'DELETE',
  'http://[',
  ';;=,',
]
const fields = (roll: Dice): Fields => some(roll, 8, () => [oneOf(roll, names), oneOf(roll, values)] as const)

const bodies = [
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":[1,{"b":null}]},"_meta":{"traceparent":"x"}}}',
  '[{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":"a","result":{}}]',
  '{"query":"query Q($a: Int) { a: users(first: $a) { ...F id } } fragment F on User { email }","operationName":"Q","variables":{"a":1}}',
  '{"query":"mutation { deleteUser(id: 1) { id } }"}',
  '{"model":"m","messages":[{"role":"user","content":"ä"}],"tools":[]}',
  'a=1&b%5B%5D=2&query=%7Bx%7D',
  '{"a":1,"A":2}',
  '\u{feff}{"a":"\\ud800"}',
]
const types = [
  'application/json',
  'application/x-www-form-urlencoded',
  'application/graphql',
  'text/plain',
  'application/json; charset=latin1',
  undefined,
]
const paths = ['/graphql', '/v1/messages', '/api/chat', '/mcp', '/x']

/** One in two is as it was; the others have bytes changed, doubled or cut. */
function broken(roll: Dice, text: string): Buffer {
  const bytes = Buffer.from(text)
  if (roll(2) === 0 || bytes.length === 0) return bytes
  for (let n = roll(3); n >= 0; n -= 1)
    bytes[roll(bytes.length)] = oneOf(roll, [0x00, 0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2c, 0x3a, 0xff, 0x26, 0x3d, 0x0a])
  const cut = bytes.subarray(0, roll(4) === 0 ? roll(bytes.length) : bytes.length)
  return roll(8) === 0 ? Buffer.concat([cut, cut]) : cut
}

describe('what comes from callers', () => {
  it('a body is read in one way or counts as not understood', () => {
    let unknown = 0
    for (let seed = 1; seed <= 3_000; seed += 1) {
      const roll = dice(seed)
      const body = broken(roll, oneOf(roll, bodies))
      const type = oneOf(roll, types)
      const { asked, json } = readBody(body, type, oneOf(roll, [undefined, 'identity', 'gzip']), oneOf(roll, paths))
      expect(asked.length).toBeGreaterThan(0)
      if (asked.some(({ operations, tools }) => operations === undefined && tools === undefined)) unknown += 1
      if (json !== undefined) expect(JSON.parse(body.toString().replace(/^\u{feff}/u, ''))).toEqual(json)
    }
    expect(unknown).toBeGreaterThan(500)
  })

  it('a request is understood or refused', () => {
    for (let seed = 1; seed <= 1_500; seed += 1) {
      const roll = dice(seed)
      const path = `${oneOf(roll, paths)}${some(roll, 4, () => oneOf(roll, ['/', '%2f', '%2e%2e', ';v=1', '%', '%ff', '%2561', 'é', '?token=abc', '&a=%zz', '//'])).join('')}`
      try {
        const { effects, text } = understand(
          target,
          oneOf(roll, ['GET', 'POST', 'PURGE']),
          path,
          fields(roll),
          oneOf(roll, ['absent', 'unseen', broken(roll, oneOf(roll, bodies))]),
        )
        expect(effects.length).toBeGreaterThan(0)
        expect(text).not.toMatch(/^\S+ [^?\n]*\?token=abc/)
      } catch (error) {
        expect(error).toBeInstanceOf(Refused)
      }
    }
  })

  it('a target is one of ours below its path, or the request is refused', () => {
    for (let seed = 1; seed <= 3_000; seed += 1) {
      const roll = dice(seed)
      const url = some(roll, 6, () =>
        oneOf(roll, [
          '/',
          'crm',
          '..',
          '.',
          '%2e',
          '%2E%2e',
          'x',
          '?',
          '#',
          '\\',
          '%',
          'http://',
          'crm.internal',
          '@',
          ':443',
          ' ',
        ]),
      ).join('')
      const request = { url, headers: {} } as unknown as Request
      const host: Fields = [['host', oneOf(roll, ['gateway', 'crm.gateway:80', '[::1]:1', 'a b', '', 'crm..x'])]]
      try {
        const { path } = routeOf(request, host, true, () => [target])
        expect(path.startsWith('/')).toBe(true)
        expect(
          path
            .split('?', 1)[0]
            ?.split('/')
            .some((part) => /^(?:\.|%2e){1,2}$/i.test(part)),
        ).toBe(false)
      } catch (error) {
        expect(error).toBeInstanceOf(Refused)
      }
    }
  })

  it('no token goes on, nor a field that is ours to say', () => {
    for (let seed = 1; seed <= 3_000; seed += 1) {
      const roll = dice(seed)
      const given = fields(roll)
      const sent = forTarget(given, route, { shown, host: '192.0.2.1' }, target)
      expect(sent.join('\n')).not.toContain(token)
      expect(sent.filter((name, index) => index % 2 === 0 && name === 'host')).toHaveLength(1)
      expect(
        sent.some((name, index) => index % 2 === 0 && /^(?:connection|transfer-encoding|upgrade|keep-alive|trailer)$/.test(name)),
      ).toBe(false)
      const late = trailersOf({ rawTrailers: given.flat() } as unknown as Request, target, shown)
      expect(late.every(([name, value]) => (name === 'x-sum' || name === 'refresh') && !value.includes(token))).toBe(true)
      expect(coverQuery(`/x?${oneOf(roll, ['key', 'tok%65n', 'SIG', 'x-own'])}=planted&a=${roll(9)}`, target)).not.toContain(
        'planted',
      )
    }
  })
})

describe('what comes from targets', () => {
  it('fields are passed without fault, the hop-by-hop ones left out', () => {
    for (let seed = 1; seed <= 2_000; seed += 1) {
      const got = forClient(
        fields(dice(seed))
          .flat()
          .map((text) => Buffer.from(text, 'latin1')),
        route,
        target,
      )
      expect(Object.keys(got).some((name) => /^(?:connection|transfer-encoding|upgrade|keep-alive|trailer|te)$/.test(name))).toBe(
        false,
      )
    }
  })

  it('a look at what a model says changes and stops nothing', () => {
    const told = [
      '{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}',
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}]}',
      '{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}',
      '{"model":"m","done":true,"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}}]},"eval_count":1}',
      '[DONE]',
      'null',
    ]
    for (let seed = 1; seed <= 1_000; seed += 1) {
      const roll = dice(seed)
      const [type, before, after] = oneOf(roll, [
        ['text/event-stream', 'data: ', '\n\n'],
        ['application/x-ndjson', '', '\n'],
        ['application/json', '', ''],
      ] as const)
      const bytes = broken(roll, some(roll, 6, () => before + oneOf(roll, told) + after).join(''))
      let answers = 0
      const stage = watchModel(type, ({ toolCalls }) => (answers += toolCalls.length < 100 ? 1 : 0))
      const out: Buffer[] = []
      for (let at = 0; at < bytes.length; at += 11) out.push(stage.push(bytes.subarray(at, at + 11)))
      out.push(stage.end())
      expect([Buffer.concat(out).equals(bytes), answers]).toEqual([true, 1])
    }
  })
})
