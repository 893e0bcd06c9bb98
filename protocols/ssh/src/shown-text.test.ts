import { describe, expect, it } from 'vitest'
import type { DetectorName } from '@sallyport/core'
import { Masker, Unmaskable } from '@sallyport/masking'
import { ShownText } from './shown-text.js'

const maskerOf = (...names: readonly DetectorName[]): Masker =>
  new Masker(
    names.map((name) => ({ column: `@${name}`, with: 'redact', rule: 'r' })),
    { hash: '', token: '' },
  )
const all = maskerOf('email', 'card', 'iban', 'ssn', 'phone', 'secret')
const shown = (pieces: readonly (string | Buffer)[], terminal = false): string => {
  const text = new ShownText(all, terminal)
  return [...pieces.map((piece) => text.push(Buffer.from(piece as string))), text.end()].map(String).join('')
}
/** The end of a private key and what stands around it, put together here so that nobody takes this file for a leak. */
const keyBlock = (lines: number): string => {
  const line = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n'
  const rule = (word: string): string => `-----${word} PRIVATE KEY-----\n`
  return `${rule('BEGIN')}${line.repeat(lines)}${rule('END')}`
}

const texts = [
  'name,mail\nann,ann@example.com\nbob,bob.b+x@mail.example.org\n',
  'card 4111 1111 1111 1111 and 4111-1111-1111-1111.\n',
  'IBAN DE89 3704 0044 0532 0130 00, phone +49 170 1234567 or (555) 123-4567\n',
  'ssn 078-05-1120\n',
  `before\n${keyBlock(12)}after\n`,
  'töken: ghp_0123456789abcdefghijklmnopqrstuvwxyz, end',
  'no line end ann@example.com',
  'a b c 1 2 3 (yes/no) [Y/n] ? ',
]

describe('text that is shown', () => {
  it.each(texts)('masks the same however %j is cut', (text) => {
    const whole = all.text(text)
    const bytes = Buffer.from(text)
    expect(shown([bytes])).toBe(whole)
    expect(shown([...bytes].map((byte) => Buffer.from([byte])))).toBe(whole)
    for (let at = 1; at < bytes.length; at += 1) expect(shown([bytes.subarray(0, at), bytes.subarray(at)])).toBe(whole)
  })

  it('masks the same however random text is cut', () => {
    let seed = 99
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return (seed >>> 8) % below
    }
    const parts = [
      'ann@example.com',
      '4111 1111 1111 1111',
      ' ',
      '\n',
      '(',
      ')',
      '+49 ',
      '170 1234567',
      '-',
      ': ',
      '$ ',
      'x',
      '078-05-1120',
      keyBlock(1),
      '@',
      '.',
      'DE89 3704 0044 0532 0130 00',
    ]
    for (let round = 0; round < 2_000; round += 1) {
      const text = Array.from({ length: random(12) + 1 }, () => parts[random(parts.length)]).join('')
      const cuts = Array.from({ length: 4 }, () => random(text.length + 1)).toSorted((a, b) => a - b)
      const pieces = [0, ...cuts].map((from, index) => text.slice(from, [...cuts, text.length][index]))
      expect({ text, pieces, shown: shown(pieces) }).toEqual({ text, pieces, shown: all.text(text) })
    }
  })

  it.each(['$ ', 'mysql> ', '[sudo] password for deploy: ', 'Continue? [Y/n] ', 'ann@web:~$ ', 'Overwrite (y/n) ', 'login: '])(
    'does not hold back a prompt: %j',
    (prompt) => {
      expect(String(new ShownText(all, true).push(Buffer.from(prompt)))).toBe(all.text(prompt))
    },
  )

  it('shows what was typed at once, and masks what comes after it', () => {
    const text = new ShownText(all, true)
    expect(String(text.push(Buffer.from('$ ')))).toBe('$ ')
    for (const character of 'cat a1') {
      text.typed(Buffer.from(character))
      expect(String(text.push(Buffer.from(character)))).toBe(character)
    }
    text.typed(Buffer.from('\r'))
    expect(String(text.push(Buffer.from('\r\nann@exam')))).toBe('\r\n')
    expect(String(text.push(Buffer.from('ple.com\r\n$ ')))).toBe('[redacted]\r\n$ ')
  })

  it('finds values through colours, and keeps the colours of what it does not cover', () => {
    expect(shown(['\u001b[01;31mplain\u001b[m text\n'])).toBe('\u001b[01;31mplain\u001b[m text\n')
    const told = shown(['ann@\u001b[01;', '31mexample\u001b[m.com\n'])
    expect(told).toBe('[redacted]\n\u001b[m')
  })

  it.each([
    ['a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), /not text/],
    ['UTF-16', Buffer.from('ann@example.com\n', 'utf16le'), /not text/],
    ['Latin-1', Buffer.from('M\u00fcller\n', 'latin1'), /not text in UTF-8/],
    ['half a character at the end', Buffer.from('x\u00fc').subarray(0, 2), /not text in UTF-8/],
    ['a line without an end', Buffer.alloc(300_000, 97), /too long/],
    ['C1 controls', Buffer.from('ann@\u009b1mexample.com'), /not text/],
  ])('refuses %s', (_what, bytes, said) => {
    expect(() => shown([bytes])).toThrow(said)
    expect(() => shown([bytes])).toThrow(Unmaskable)
  })

  it.each(['\u001b[?1049h', '\u001b[5;10Hann', '\u001b[3A', '\u001b[2;24r', '\u001b[4b', '\u001bM', '\u001b7', '\u001b[10G'])(
    'refuses a screen that is drawn: %j',
    (control) => {
      expect(() => shown([`some text ${control}`], true)).toThrow(/draws on the screen/)
    },
  )

  it('takes what a shell writes around its prompt', () => {
    const prompt = '\u001b[?2004h\u001b]0;ann@host: ~\u0007\u001b[01;32mhost\u001b[00m:\u001b[01;34m~\u001b[00m$ '
    const text = new ShownText(maskerOf('card'), true)
    expect(String(text.push(Buffer.from(prompt)))).toBe(prompt)
    expect(String(text.push(Buffer.from('\b\u001b[K\u001b[H\u001b[2J$ ')))).toBe('\b\u001b[K\u001b[H\u001b[2J$ ')
  })
})
