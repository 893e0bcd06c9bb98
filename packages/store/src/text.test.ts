import { describe, expect, it } from 'vitest'
import { storable, storableJson, stored, storedJson } from './text.js'

const texts = [
  '',
  'plain ü 🙂',
  'a\u0000b',
  '\ud800',
  'x\udc00\ud800y',
  '\u241b',
  '\u241b0000',
  '\u241b\u241bD800',
  '\ud83d\ude00\ud83d',
  '\\u0000',
]

describe('what Postgres refuses in a text', () => {
  it.each(texts)('comes back as it was: %j', (text) => {
    expect(stored(storable(text))).toBe(text)
    expect(storable(text).includes('\u0000')).toBe(false)
    expect(storable(text).isWellFormed()).toBe(true)
    expect(storedJson(JSON.parse(storableJson({ [text]: [text, { deep: text }], n: 1, none: null })) as unknown)).toEqual({
      [text]: [text, { deep: text }],
      n: 1,
      none: null,
    })
  })

  it('is seen where it stands', () => {
    expect(storable('a\u0000b')).toBe('a\u241b0000b')
  })
})
