import { describe, expect, it } from 'vitest'
import { readGraphql } from './graphql.js'

describe('GraphQL', () => {
  it('tells root fields and what is below them, fragments followed', () => {
    const read = readGraphql(
      'query A { user(id: 1) { id ...More } ... on Query { orders { total } } } fragment More on User { email address { city } }',
      'A',
    )
    expect(read).toEqual({
      type: 'query',
      roots: [
        { name: 'user', fields: ['user', 'user.id', 'user.email', 'user.address', 'user.address.city'] },
        { name: 'orders', fields: ['orders', 'orders.total'] },
      ],
    })
  })

  it('says what is answered under another name', () => {
    expect(readGraphql('{ user { safe: email } }', undefined)?.renames).toBe('user.email')
    expect(readGraphql('{ user { email: email } }', undefined)?.renames).toBeUndefined()
  })

  it('takes the operation that is named', () => {
    const text = 'query A { a } mutation B { b }'
    expect(readGraphql(text, 'B')?.type).toBe('mutation')
    expect(readGraphql(text, undefined)).toBeUndefined()
    expect(readGraphql(text, 'C')).toBeUndefined()
  })

  it.each([
    '{',
    '',
    'type A { b: Int }',
    '{ ...None }',
    '{ ...A } fragment A on Q { ...A }',
    `{ a ${'{ a '.repeat(60)}${'} '.repeat(60)} }`,
    `{ ${'a '.repeat(6_000)} }`,
    `{ a(x: "${'x'.repeat(200_000)}") }`,
    `{ ...F0 } ${Array.from({ length: 20 }, (_, n) => `fragment F${n} on Q { ...F${n + 1} ...F${n + 1} }`).join(' ')} fragment F20 on Q { a }`,
  ])('what cannot be told is not: %.40s', (text) => {
    const began = performance.now()
    expect(readGraphql(text, undefined)).toBeUndefined()
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})
