import { describe, expect, it } from 'vitest'
import { oneLine, printable } from './printable.js'

describe('recorded text on a terminal', () => {
  it.each([
    ['\u001b[2J\u001b]0;title\u0007', '\\x1b[2J\\x1b]0;title\\x07'],
    ['a\rb', 'a\\x0db'],
    ['\u009b31m', '\\x9b31m'],
    ['select \u202e1 tceles', 'select \\u{202e}1 tceles'],
    ['zero\u200bwidth', 'zero\\u{200b}width'],
    ['tag\u{e0041}', 'tag\\u{e0041}'],
    ['half \ud800', 'half \\u{d800}'],
    ['ä ß 漢 🙂\tb\nc', 'ä ß 漢 🙂\tb\nc'],
  ])('%j', (text, expected) => expect(printable(text)).toBe(expected))

  it('fits on one line, never cutting a character', () => {
    expect(oneLine('select\n  1,\t2', 80)).toBe('select 1, 2')
    expect(oneLine('🙂'.repeat(10), 5)).toBe('🙂🙂🙂🙂…')
  })
})
