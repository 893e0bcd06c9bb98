import { describe, expect, it } from 'vitest'
import type { HttpOperation, Target } from '@sallyport/core'
import { breaks, describedFaults } from './describing.js'

const operations: readonly HttpOperation[] = [
  {
    method: 'GET',
    path: '/orders/{id}',
    id: 'getOrder',
    shape: {
      parameters: [
        { in: 'path', name: 'id', required: true, form: 'one', schema: { type: 'integer', minimum: 1 } },
        {
          in: 'query',
          name: 'expand',
          required: false,
          form: 'many',
          schema: { type: 'array', items: { enum: ['lines', 'customer'] } },
        },
        {
          in: 'query',
          name: 'fields',
          required: false,
          form: 'list',
          schema: { type: 'array', items: { type: 'string', maxLength: 5 } },
        },
        { in: 'query', name: 'filter', required: false, form: 'deep', schema: true },
        { in: 'header', name: 'x-tenant', required: true, form: 'one', schema: { type: 'string', pattern: '^(a+)+$' } },
      ],
    },
  },
  { method: 'GET', path: '/orders/mine', id: 'myOrders' },
  {
    method: 'POST',
    path: '/orders',
    id: 'createOrder',
    shape: {
      parameters: [],
      body: {
        required: true,
        media: {
          'application/json': { $ref: '#/components/schemas/Order' },
          'application/x-www-form-urlencoded': {
            type: 'object',
            properties: { amount: { type: 'number' } },
            additionalProperties: false,
          },
          'image/*': true,
        },
      },
    },
  },
]
const schemas = {
  Order: {
    type: 'object',
    required: ['item'],
    additionalProperties: false,
    properties: {
      item: { type: 'string' },
      amount: { type: ['number', 'null'], exclusiveMinimum: 0 },
      parts: { type: 'array', items: { $ref: '#/components/schemas/Order' }, uniqueItems: true },
    },
  },
}
const target = { name: 'shop', protocol: 'http', address: 'https://shop.test', http: { operations, schemas } } as unknown as Target

const tenant = [['x-tenant', 'aaa']] as const
const get = (path: string, fields: readonly (readonly [string, string])[] = tenant, method = 'GET'): string | undefined =>
  breaks(target, { method, path, fields, contentType: undefined, body: 'absent', json: undefined })
const post = (value: unknown, contentType = 'application/json'): string | undefined => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return breaks(target, {
    method: 'POST',
    path: '/orders',
    fields: [],
    contentType,
    body: Buffer.from(text),
    json: typeof value === 'string' ? undefined : value,
  })
}

describe('a request that keeps to the description', () => {
  it.each([
    '/orders/12',
    '/orders/12?expand=lines&expand=customer',
    '/orders/12?expand=lines',
    '/orders/12?fields=a,b',
    '/orders/12?filter[a]=1',
    '/orders/mine',
  ])('GET %s', (path) => expect(get(path)).toBeUndefined())

  it('HEAD is as GET is', () => expect(get('/orders/12', tenant, 'HEAD')).toBeUndefined())

  it('bodies', () => {
    expect(post({ item: 'a' })).toBeUndefined()
    expect(post({ item: 'a', amount: null, parts: [{ item: 'b' }, { item: 'b' }] })).toBeUndefined()
    expect(post('amount=1.5', 'application/x-www-form-urlencoded')).toBeUndefined()
    expect(post('binary', 'image/png')).toBeUndefined()
  })
})

describe('a request that does not', () => {
  it.each([
    ['/orders/0', 'path.id must be >= 1'],
    ['/orders/abc', 'path.id must be integer'],
    ['/orders/12/x', 'knows no GET /orders/12/x'],
    ['/other', 'knows no GET /other'],
    ['/orders//12', 'knows no GET'],
    ['/orders%2f12', 'knows no GET'],
    ['/orders/12?expand=all', 'query.expand.0 must be equal to one of the allowed values'],
    ['/orders/12?fields=a,toolong', 'query.fields.1 must NOT have more than 5 characters'],
    ['/orders/12?debug=1', 'knows no query parameter debug'],
    ['/orders/12?__proto__=1', 'knows no query parameter __proto__'],
  ])('GET %s', (path, said) => expect(get(path)).toContain(said))

  it('its headers, methods and bodies', () => {
    expect(get('/orders/12', [])).toContain("must have required property 'x-tenant'")
    expect(get('/orders/12', [...tenant, ['x-http-method-override', 'DELETE']])).toContain('names another method')
    expect(get('/orders/12', tenant, 'DELETE')).toContain('knows no DELETE')
    expect(
      breaks(target, {
        method: 'GET',
        path: '/orders/mine',
        fields: [],
        contentType: 'text/plain',
        body: Buffer.from('x'),
        json: undefined,
      }),
    ).toContain('has no body')
    expect(
      breaks(target, { method: 'POST', path: '/orders', fields: [], contentType: undefined, body: 'absent', json: undefined }),
    ).toContain('wants a body')
    expect(
      breaks(target, {
        method: 'POST',
        path: '/orders',
        fields: [],
        contentType: 'application/json',
        body: 'unseen',
        json: undefined,
      }),
    ).toContain('longer than')
    expect(post({})).toContain("body must have required property 'item'")
    expect(post({ item: 1 })).toContain('body.item must be string')
    expect(post({ item: 'a', amount: 0 })).toContain('body.amount must be > 0')
    expect(post({ item: 'a', parts: [{ item: 'b', more: 1 }] })).toContain(
      'body.parts.0 must NOT have additional properties (more)',
    )
    expect(post('{"item":"a","item":1}')).toContain('cannot be read in one way only')
    expect(post('amount=much', 'application/x-www-form-urlencoded')).toContain('body.amount must be number')
    expect(post('x', 'text/plain')).toContain('no body of type text/plain')
    expect(post('x', '')).toContain('no body of type none')
  })

  it('and takes no longer to say so than the text is long', () => {
    const began = performance.now()
    expect(get('/orders/12', [['x-tenant', `${'a'.repeat(20_000)}!`]])).toContain('must match pattern')
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})

it('a target that does not ask is not held to anything', () => {
  const free = { ...target, http: { operations } } as unknown as Target
  expect(
    breaks(free, { method: 'GET', path: '/none', fields: [], contentType: undefined, body: 'absent', json: undefined }),
  ).toBeUndefined()
})

it('what cannot be checked is said of the description', () => {
  const faulty = (schema: unknown): string | undefined =>
    describedFaults(
      [
        {
          method: 'POST',
          path: '/',
          id: 'op',
          shape: { parameters: [], body: { required: true, media: { 'application/json': schema } } },
        },
      ],
      {},
    )
  expect(faulty({ type: 'string', pattern: '(?=a)b' })).toContain('requests of op cannot be checked')
  expect(faulty({ $ref: '#/components/schemas/None' })).toContain('requests of op cannot be checked')
  expect(faulty({ type: 'nothing' })).toContain('requests of op cannot be checked')
  expect(faulty({ type: 'string', format: 'whatever' })).toBeUndefined()
})
