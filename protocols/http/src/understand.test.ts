import { describe, expect, it } from 'vitest'
import type { Target } from '@sallyport/core'
import { readGraphql } from './graphql.js'
import { explained } from './explained.js'
import { recognises } from './index.js'
import { readingsOf } from './paths.js'
import { understand } from './understand.js'

const target: Target = {
  name: 'crm',
  protocol: 'http',
  address: 'https://crm.internal/api',
  databases: [],
  tls: 'verify',
  labels: {},
  durability: 'process',
  default: 'allow',
  trust: { functions: [] },
  http: {
    operations: [
      { method: 'GET', path: '/orders/{id}', id: 'getOrder' },
      { method: 'GET', path: '/orders/latest', id: 'latestOrder' },
      { method: 'GET', path: '/files/{name}.csv', id: 'getFile' },
    ],
    http2: 'auto',
    readBodyBytes: 1000,
    recordBodyBytes: 1000,
    patienceMs: 1000,
    secretNames: [],
  },
}
const plain: Target = { ...target, name: 'plain', http: { ...(target.http as NonNullable<Target['http']>), operations: [] } }

const facts = (method: string, path: string, body?: string, type = 'application/json', to = plain) =>
  understand(to, method, path, [['content-type', type]], body === undefined ? 'absent' : Buffer.from(body)).effects.map(
    ({ request, access }) => ({ ...request, access }),
  )

describe('the readings of a path', () => {
  it.each([
    ['/a/b', ['/a/b']],
    ['/%61', ['/a']],
    ['/a//b', ['/a//b', '/a/b']],
    ['/a%2fb', ['/a/b']],
    ['/a%5cb', ['/a\\b', '/a/b']],
    ['/a;v=1/b', ['/a;v=1/b', '/a/b']],
    ['/%2561', ['/%61', '/a']],
    ['/x%2f..%2fa', ['/a']],
  ])('%s', (path, expected) => {
    expect(readingsOf(path)).toEqual(expected)
  })

  it.each(['/%00', '/%0a', '/%ff'])('%s is none', (path) => {
    expect(() => readingsOf(path)).toThrow(/path/)
  })
})

describe('operations of an OpenAPI file', () => {
  it('are those of the file as it is now', () => {
    const renamed = (id: string): Target => ({
      ...target,
      http: { ...(target.http as NonNullable<Target['http']>), operations: [{ method: 'GET', path: '/all', id }] },
    })
    const named = (id: string) => understand(renamed(id), 'GET', '/all', [], 'absent').effects[0]?.request?.operations
    expect(named('listPublic')).toEqual(['listPublic'])
    expect(named('exportEverything')).toEqual(['exportEverything'])
  })

  it.each([
    ['/orders/5', ['getOrder']],
    ['/orders/latest', ['latestOrder']],
    ['/orders/', []],
    ['/orders/5/x', []],
    ['/files/a.csv', ['getFile']],
    ['/files/.csv', []],
  ])('%s', (path, operations) => {
    expect(facts('GET', path, undefined, '', target)[0]?.operations).toEqual(operations)
  })
})

describe('what a body asks', () => {
  it('JSON: its fields', () => {
    expect(facts('POST', '/x?q=1', '{"a":{"b":[{"c":1}]}}')).toEqual([
      { access: 'write', method: 'POST', path: '/x', operations: [], tools: [], fields: ['a', 'a.b', 'a.b.c', 'query.q'] },
    ])
  })

  it('a form that reads as JSON: both, since servers differ', () => {
    const type = 'application/x-www-form-urlencoded'
    const both = facts('POST', '/x', '{"salary":"&bcc=1"}', type).flatMap(({ fields }) => fields ?? [])
    expect(both).toEqual(expect.arrayContaining(['salary', 'bcc']))
    expect(facts('POST', '/api/chat', '{"model":"m","messages":[]}', type).map(({ operations }) => operations)).toContainEqual([
      'api.chat',
    ])
    expect(facts('POST', '/x', '{"salary":1', type).some(({ fields }) => fields === undefined)).toBe(true)
  })

  it('a form: its names', () => {
    expect(facts('POST', '/x', 'a=1&b=2', 'application/x-www-form-urlencoded')[0]?.fields).toEqual(['a', 'b'])
  })

  it('MCP: each call of a batch by itself', () => {
    const body = JSON.stringify([
      { jsonrpc: '2.0', id: 1, method: 'tools/list' },
      { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'find', arguments: { id: 1 } } },
    ])
    expect(facts('POST', '/mcp', body).map(({ access, operations, tools }) => ({ access, operations, tools }))).toEqual([
      { access: 'read', operations: ['tools/list'], tools: [] },
      { access: 'write', operations: ['tools/call'], tools: ['find'] },
    ])
  })

  it('GraphQL: each root field by itself, fragments followed, whatever the type says', () => {
    const query = 'query A { users { ...f } orders { id } } fragment f on User { email friends { name } } mutation B { drop }'
    expect(
      facts('POST', '/api', JSON.stringify({ query, operationName: 'A' }), 'text/plain').map(({ operations, fields }) => ({
        operations,
        fields,
      })),
    ).toEqual([
      { operations: ['query', 'query.users'], fields: ['users', 'users.email', 'users.friends', 'users.friends.name'] },
      { operations: ['query', 'query.orders'], fields: ['orders', 'orders.id'] },
    ])
    expect(facts('GET', `/graphql?query=${encodeURIComponent('mutation { drop }')}`)[0]).toMatchObject({
      access: 'write',
      operations: ['mutation', 'mutation.drop'],
    })
  })

  it.each([
    ['two operations and no name', '{"query":"query A { a } mutation B { b }"}', '/graphql'],
    ['a stored query', '{"extensions":{"persistedQuery":{}}}', '/graphql'],
    ['a fragment without end', '{"query":"{ ...f } fragment f on X { ...f }"}', '/graphql'],
    ['a repeated key', '{"a":1,"a":2}', '/x'],
    ['half a text', '{"a":', '/x'],
    ['a call with another spelling', '{"jsonrpc":"2.0","Method":"tools/call"}', '/x'],
    ['a call without a name', '{"jsonrpc":"2.0","method":"tools/call","params":{}}', '/x'],
    ['a call that does not say so', '{"method":"tools/call","params":{"name":"x"}}', '/x'],
    ['GraphQL that does not parse', '{"query":"mutation { drop"}', '/x'],
    ['a batch with something else in it', '[{"jsonrpc":"2.0","method":"ping"},{"a":1}]', '/x'],
  ])('is not understood where it is %s', (_what, body, path) => {
    for (const { fields, operations, tools } of facts('POST', path, body))
      expect([fields, operations, tools]).toEqual([undefined, undefined, undefined])
  })

  it('is not understood where it is packed, of another charset or unseen', () => {
    expect(
      understand(
        plain,
        'POST',
        '/x',
        [
          ['content-type', 'application/json'],
          ['content-encoding', 'gzip'],
        ],
        Buffer.from('x'),
      ).effects[0]?.request?.fields,
    ).toBeUndefined()
    expect(facts('POST', '/x', '{"a":1}', 'application/json; charset=utf-16')[0]?.fields).toBeUndefined()
    expect(understand(plain, 'POST', '/x', [], 'unseen').effects[0]?.request?.tools).toBeUndefined()
  })

  it('a model: reading', () => {
    expect(facts('POST', '/v1/messages', '{"model":"m"}')[0]).toMatchObject({ access: 'read', operations: ['messages.create'] })
  })

  it('a renamed GraphQL field is told, for masks by field', () => {
    expect(readGraphql('{ user { mail: email } }', undefined)?.renames).toBe('user.email')
  })
})

it('a request written by hand is understood', () => {
  expect(explained('delete /orders/5\n{"why":1}', plain)).toMatchObject({ kind: 'request', text: 'DELETE /orders/5\n{"why":1}' })
  expect(() => explained('drop table x', plain)).toThrow(/METHOD \/path/)
})

it('the first bytes of HTTP are told from others', () => {
  for (const text of ['GET / HTTP/1.1', 'PRI * HTTP/2.0', 'OPTIONS *']) expect(recognises(Buffer.from(text))).toBe('yes')
  for (const text of ['', 'G', 'PRO']) expect(recognises(Buffer.from(text))).toBe('more')
  for (const text of ['SSH-2.0', '\0\0\0\x08', 'get /']) expect(recognises(Buffer.from(text, 'latin1'))).toBe('no')
})
