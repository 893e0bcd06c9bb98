import { describe, expect, it } from 'vitest'
import type { Mask } from '@sallyport/core'
import { maskBody, Masker, repeatsKeys, SseEvents, Unmaskable } from './index.js'

const salts = { hash: 'h', token: 't' }
const mask = (column: string, how: Mask['with'] = 'redact'): Mask => ({ column, with: how, rule: 'r' })
const masker = (...masks: readonly Mask[]): Masker => new Masker(masks, salts)

/** The text masked in pieces of `size` bytes. */
function masked(text: string, type: string, one: Masker, size = text.length + 1): string {
  const body = maskBody(one, type)
  if (body === undefined) throw new Error('not maskable')
  const bytes = Buffer.from(text)
  const out: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) out.push(body.push(bytes.subarray(at, at + size)))
  return Buffer.concat([...out, body.end()]).toString()
}

/** Cut everywhere, the same comes out. */
function everywhere(text: string, type: string, make: () => Masker): string {
  const whole = masked(text, type, make())
  for (let size = 1; size <= Math.min(text.length, 40); size += 1) expect(masked(text, type, make(), size)).toBe(whole)
  return whole
}

const json = 'application/json'

const sealedKey = (word: string): string => `-----${word} RSA PRIVATE KEY-----${word === 'END' ? '' : '\n'}`

describe('JSON by field', () => {
  it.each([
    ['{"email":"a@b.c","n":1}', '{"email":"[redacted]","n":1}'],
    ['{"a":[{"email":"x"},{"email":null}]}', '{"a":[{"email":"[redacted]"},{"email":null}]}'],
    ['{"e\\u006dail":"x"}', '{"e\\u006dail":"[redacted]"}'],
    ['{"email":{"a":["x",{"y":1}]},"b":2}', '{"email":null,"b":2}'],
    ['{"email":[ "x" , "y" ] , "b":2}', '{"email":null , "b":2}'],
    ['{"email":12345678901234567890}', '{"email":null}'],
    ['{"email":true,"email":"twice"}', '{"email":null,"email":"[redacted]"}'],
    ['{"n":12345678901234567890.10,"s":"\\u00e4\\\\\\""}', '{"n":12345678901234567890.10,"s":"\\u00e4\\\\\\""}'],
    ['{"inner":"{\\"email\\":\\"x\\"}"}', '{"inner":"{\\"email\\":\\"[redacted]\\"}"}'],
    ['"email"', '"email"'],
    [' [ ] ', ' [ ] '],
  ])('%s', (text, expected) => {
    expect(everywhere(text, json, () => masker(mask('*.email')))).toBe(expected)
  })

  it('takes paths with and without their root, and no other', () => {
    const text = '{"a":{"b":"1","c":"2"},"b":"3"}'
    expect(masked(text, json, masker(mask('a.b')))).toBe('{"a":{"b":"[redacted]","c":"2"},"b":"3"}')
    expect(masked(text, json, masker(mask('b')))).toBe('{"a":{"b":"1","c":"2"},"b":"[redacted]"}')
    expect(masked(text, json, masker(mask('*')))).toBe('{"a":null,"b":"[redacted]"}')
  })

  it.each([
    ['null', 'null'],
    ['partial', '"a***@example.com"'],
    ['hash', '"3c2d7e9c"'],
    ['token', '"tok_'],
  ] as const)('with %s', (how, expected) => {
    const text = masked('{"email":"ann@example.com"}', json, masker(mask('email', how)))
    if (how === 'hash') expect(text).toMatch(/^\{"email":"[0-9a-f]{16}"\}$/)
    else expect(text.startsWith(`{"email":${expected}`)).toBe(true)
    expect(text).not.toContain('ann@')
  })

  it.each([
    '{"a":1',
    '{"a" 1}',
    '{a:1}',
    '[1,]',
    '{"a":1,}',
    '{"a":01}',
    'nul',
    '[1}',
    '{"a":1}x',
    '',
    '{"a":"\n"}',
    '{"a":1}{"a":1}',
  ])('is not let through where it is malformed: %j', (text) => {
    expect(() => masked(text, json, masker(mask('b')))).toThrow(Unmaskable)
  })

  it('is not let through where it is nested without end', () => {
    expect(() => masked('['.repeat(10_000), json, masker(mask('b')))).toThrow(Unmaskable)
  })

  it('masks JSON Lines', () => {
    expect(everywhere('{"email":"x"}\n{"email":"y"}\n', 'application/x-ndjson', () => masker(mask('email')))).toBe(
      '{"email":"[redacted]"}\n{"email":"[redacted]"}\n',
    )
  })
})

describe('detectors', () => {
  it.each([
    ['email', 'write to ann.o-x@mail.example.com, now', 'write to [redacted], now'],
    ['card', 'card 4111 1111 1111 1111.', 'card [redacted].'],
    ['card', 'order 4111 1111 1111 1112.', 'order 4111 1111 1111 1112.'],
    ['card', 'qty 12 4111 1111 1111 1111 24', 'qty 12 [redacted] 24'],
    ['card', '2024-11-24 4111-1111-1111-1111', '2024-11-24 [redacted]'],
    ['card', 'said "x\\n4111111111111111"', 'said "x\\n[redacted]"'],
    ['card', '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16', '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16'],
    ['email', 'a@mail.example.com-b, a@mail.example.com1', '[redacted]-b, [redacted]1'],
    ['iban', 'BE68 5390 0754 7034 EUR and BE68539007547034 2024', '[redacted] EUR and [redacted] 2024'],
    ['iban', 'to DE89 3704 0044 0532 0130 00 please', 'to [redacted] please'],
    ['iban', 'to DE88370400440532013000', 'to DE88370400440532013000'],
    ['ssn', 'ssn 917-66-4417 no, 536-90-4399 yes', 'ssn 917-66-4417 no, [redacted] yes'],
    ['phone', 'call +49 30 901820 or (212) 555-0123', 'call [redacted] or [redacted]'],
    ['secret', 'key AKIAIOSFODNN7EXAMPLE', 'key [redacted]'],
    [
      'secret',
      `${sealedKey('BEGIN')}Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\nQUJD\n${sealedKey('END')}- left`,
      '[redacted]- left',
    ],
    ['secret', 'ghp_abcdefghijklmnopqrstuvwxyz0123456789', '[redacted]'],
  ])('%s: %s', (name, text, expected) => {
    expect(masked(JSON.stringify({ a: text }), json, masker(mask(`@${name}`)))).toBe(JSON.stringify({ a: expected }))
  })

  it('find a number that is a card', () => {
    expect(masked('{"a":4111111111111111,"b":5}', json, masker(mask('@card')))).toBe('{"a":null,"b":5}')
  })

  it('take linear time on hostile text', () => {
    const hostile = [
      'a@'.repeat(50_000),
      '1 '.repeat(50_000),
      '('.repeat(100_000),
      'A1'.repeat(50_000),
      'eyJ'.repeat(30_000),
      '-'.repeat(100_000),
    ]
    const all = masker(...['email', 'card', 'iban', 'ssn', 'phone', 'secret'].map((name) => mask(`@${name}`)))
    const began = performance.now()
    for (const text of hostile) masked(JSON.stringify(text), json, all)
    expect(performance.now() - began).toBeLessThan(5_000)
  })
})

describe('what stands beside values', () => {
  it('keys that look like a value are covered as well', () => {
    const text = '{"by":{"a@mail.example.com":{"n":1},"b":2}}'
    expect(everywhere(text, json, () => masker(mask('@email')))).toBe('{"by":{"[redacted]":{"n":1},"b":2}}')
    expect(masked(text, json, masker(mask('by.a@mail.example.com.n')))).toBe('{"by":{"a@mail.example.com":{"n":null},"b":2}}')
  })

  it("so are an event's number and name", () => {
    const out = everywhere('id: a@mail.example.com\nevent: e\ndata: {}\n\n', 'text/event-stream', () => masker(mask('@email')))
    expect(out).toBe('id: [redacted]\nevent: e\ndata: {}\n\n')
  })

  it('and the first record of CSV, which may be no header', () => {
    const text = '1,a@mail.example.com\r\n2,b@mail.example.com\r\n'
    expect(everywhere(text, 'text/csv', () => masker(mask('@email')))).toBe('1,[redacted]\r\n2,[redacted]\r\n')
    expect(maskBody(masker(mask('email')), 'text/csv; header=absent')).toBeUndefined()
  })
})

describe('server-sent events', () => {
  const type = 'text/event-stream'

  it('are masked one by one, whatever their line ends', () => {
    const expected = 'event: e\ndata: {"email":"[redacted]"}\n\ndata: [DONE]\n\n'
    for (const end of ['\n', '\r\n']) {
      const text = ['event: e', 'data: {"email":"x"}', '', ': says something', 'data: [DONE]', '', ''].join(end)
      expect(everywhere(text, type, () => masker(mask('email')))).toBe(expected)
    }
  })

  it('are not let through as text that has no fields', () => {
    expect(() => masked('data: email x\n\n', type, masker(mask('email')))).toThrow(Unmaskable)
    expect(masked('data: mail a@b.com\n\n', type, masker(mask('@email')))).toBe('data: mail [redacted]\n\n')
  })

  it('drop what is not whole', () => {
    expect(masked('data: {"email":"x"}', type, masker(mask('email')))).toBe('')
  })

  it('can be mapped', () => {
    const events = new SseEvents((data) => (data === 'b' ? undefined : data.toUpperCase()))
    expect(events.push(Buffer.from('id: 1\ndata: a\n\ndata: b\n\n')).toString()).toBe('id: 1\ndata: A\n\n:\n\n')
  })
})

describe('CSV', () => {
  const type = 'text/csv; charset=utf-8'

  it.each([
    ['id,email\r\n1,a@b.c\r\n', 'id,email\r\n1,[redacted]\r\n'],
    ['id;email\n1;a\n', 'id;email\n1;[redacted]\n'],
    ['"id","email"\n1,"a ""b"", c\nd"\n2,', '"id","email"\n1,"[redacted]"\n2,'],
    [' email ,x\na,b', ' email ,x\n[redacted],b'],
  ])('%j', (text, expected) => {
    expect(everywhere(text, type, () => masker(mask('email')))).toBe(expected)
  })

  it('is not let through where columns cannot be told', () => {
    expect(() => masked('id,email\n1,2,3\n', type, masker(mask('email')))).toThrow(Unmaskable)
    expect(() => masked('id,email\n1,"a', type, masker(mask('email')))).toThrow(Unmaskable)
    expect(() => masked('a;b,c,d\n', type, masker(mask('email')))).toThrow(Unmaskable)
  })
})

describe('what has no mask', () => {
  it.each(['application/octet-stream', 'text/html', 'application/pdf', 'application/json; charset=utf-16', 'image/png', ''])(
    '%s',
    (type) => {
      expect(maskBody(masker(mask('email')), type)).toBeUndefined()
    },
  )
})

describe('repeated keys', () => {
  it.each([
    ['{"a":1,"b":{"a":1}}', false],
    ['[{"a":1},{"a":2}]', false],
    ['{"a":1,"a":2}', true],
    ['{"a":1,"\\u0061":2}', true],
    ['{"method":1,"Method":2}', true],
    ['{"x":[{"a":1,"A":2}]}', true],
    ['{"a":', true],
  ])('%s: %s', (text, expected) => {
    expect(repeatsKeys(Buffer.from(text))).toBe(expected)
  })
})
