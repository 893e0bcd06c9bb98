import { describe, expect, it } from 'vitest'
import { cut, plainly, visible } from './visible.js'

describe('what hides in a text', () => {
  it.each([
    ['plain text, line feeds\nand tabs\t stay: <b>&amp; "quotes"', 'plain text, line feeds\nand tabs\t stay: <b>&amp; "quotes"'],
    ['drop\u0000table', 'drop‹NUL›table'],
    ['\u001b[2J', '‹ESC›[2J'],
    ['a\r\nb', 'a‹CR›\nb'],
    ['\u202edrop\u202c', '‹U+202E›drop‹U+202C›'],
    ['\u2066a\u2069', '‹U+2066›a‹U+2069›'],
    ['ad\u200bmin', 'ad‹U+200B›min'],
    ['soft\u00adhyphen', 'soft‹U+00AD›hyphen'],
    ['a\u00a0b', 'a‹NBSP›b'],
    ['a\u3000b', 'a‹U+3000›b'],
    ['a\u2028b\u2029c', 'a‹U+2028›b‹U+2029›c'],
    ['tag\u{e0041}', 'tag‹U+E0041›'],
    ['filler\u3164', 'filler‹U+3164›'],
    ['lone \ud800 surrogate', 'lone ‹U+D800› surrogate'],
    ['\ufeffbom', '‹U+FEFF›bom'],
    ['Grüße, שלום, 日本, 😀', 'Grüße, שלום, 日本, 😀'],
    ['z\u0301\u0301\u0301\u0301', 'z\u0301\u0301‹U+0301 ×2›'],
    ['\u0007'.repeat(5000), '‹BEL ×5000›'],
  ])('%j reads %j', (text, shown) => {
    expect(plainly(text)).toBe(shown)
  })

  it('loses no letter', () => {
    const text = 'a\u202eb\u0000\u0000c\u200d'
    const kept = visible(text).filter(({ kind }) => kind === 'text')
    expect(kept.map((piece) => piece.text).join('')).toBe('abc')
  })

  it('makes a bounded number of pieces of the worst text, and still shows every sign', () => {
    const pieces = visible('\u0000\u0007'.repeat(100_000))
    expect(pieces.length).toBeLessThan(3000)
    expect(
      pieces
        .map(({ text }) => text)
        .join('')
        .match(/NUL/g),
    ).toHaveLength(100_000)
  })
})

describe('cutting', () => {
  it('tells what is left out, and cuts no character in two', () => {
    expect(cut('abc', 3)).toEqual({ text: 'abc', left: 0 })
    expect(cut('abcdef', 4)).toEqual({ text: 'abcd', left: 2 })
    expect(cut('abc😀d', 4)).toEqual({ text: 'abc', left: 3 })
  })
})
