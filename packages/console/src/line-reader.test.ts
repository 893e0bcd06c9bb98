import { expect, it } from 'vitest'
import { LineReader } from './line-reader.js'

it('finds the same lines however they are cut', () => {
  const text = '{"a":1}\n\n{"b":"ü"}\n{}\n'
  for (let first = 0; first <= text.length; first++) {
    for (let second = first; second <= text.length; second++) {
      const reader = new LineReader()
      const found = [text.slice(0, first), text.slice(first, second), text.slice(second)].flatMap((piece) => reader.push(piece))
      expect(found).toEqual(['{"a":1}', '{"b":"ü"}', '{}'])
    }
  }
})

it('ends an answer whose line never ends', () => {
  const reader = new LineReader()
  const piece = 'x'.repeat(1024 * 1024)
  expect(() => {
    for (let i = 0; i < 17; i++) reader.push(piece)
  }).toThrow('too long')
})
