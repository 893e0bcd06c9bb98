import { describe, expect, it } from 'vitest'
import type { Mask } from '@sallyport/core'
import { Masker } from './masker.js'
import { Pieces } from './pieces.js'

const masks: readonly Mask[] = (['email', 'card', 'iban', 'ssn', 'phone', 'secret'] as const).map((name) => ({
  column: `@${name}`,
  with: 'redact',
}))
const masker = new Masker(masks, { hash: 'h', token: 't' })
const fielded = new Masker([...masks, { column: '*.email', with: 'hash' }], { hash: 'h', token: 't' })

const told = (pieces: readonly string[], json = false, by = masker): string => {
  const text = new Pieces(by, json)
  return pieces.map((piece) => text.push(piece)).join('') + text.end()
}

const jwt = `eyJ${'a'.repeat(4000)}.eyJ${'b'.repeat(4000)}.${'c'.repeat(300)}`
const texts = [
  'Write to ada.brook@example.test, or to ben@example.test. Her card is 4111 1111 1111 1111, her IBAN DE89 3704 0044 0532 0130 00, bye.',
  `ssn 219-09-9998 and phone +44 20 7946 0101 (or 212-555-0187) ${'and more words '.repeat(40)}ada@example.test`,
  `the key is sk-${'x1'.repeat(60)} and this is no card: 4111 1111 1111 1112 3`,
  `token ${jwt} end`,
  `-----BEGIN PRIVATE KEY-----\n${'QUJD\n'.repeat(500)}-----END PRIVATE KEY----- after it`,
  'plain words only, nothing to see, 12 of 13 and a@b',
  'ends with ada@example.test',
]

/** The same for every run of the tests. */
function splits(text: string, seed: number): readonly string[] {
  let state = seed
  const pieces: string[] = []
  for (let at = 0; at < text.length;) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    const size = 1 + (state % 9)
    pieces.push(text.slice(at, at + size))
    at += size
  }
  return pieces
}

describe('a text in pieces is masked as if it came whole', () => {
  it.each(texts.map((text, index) => [index, text] as const))('text %i', (_index, text) => {
    const whole = masker.text(text)
    expect(told(text.split(''))).toBe(whole)
    // What a split costs grows with the square of the text.
    const seeds = text.length > 2_000 ? 6 : 40
    for (let seed = 1; seed < seeds; seed += 1) expect(told(splits(text, seed))).toBe(whole)
    for (let at = 0; at <= Math.min(text.length, 300); at += 1) expect(told([text.slice(0, at), text.slice(at)])).toBe(whole)
  })

  it('and nothing of a value is told before the rest of it is known', () => {
    const text = new Pieces(masker, false)
    const said = ['My ', 'mail ', 'is ada', '@exam', 'ple.te'].map((piece) => text.push(piece)).join('')
    expect(said).not.toContain('ada')
    expect(text.push('st, is it not? ') + text.push('x'.repeat(10)) + text.end()).not.toMatch(/ada|example/)
  })

  it('a long text is told while it comes', () => {
    const text = new Pieces(masker, false)
    let said = 0
    for (let n = 0; n < 1_000; n += 1) said += text.push('some more words ').length
    expect(said).toBeGreaterThan(15_500)
  })

  it.each([
    ['a card', '4111-1111-1111-1111'],
    ['an address', 'ada@example.test'],
    ['a key', `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(14_000)}\n-----END PRIVATE KEY-----`],
  ])('%s is found where its run goes on and on', (_what, value) => {
    const text = `${value}${'.'.repeat(12_600)}`
    const pieces = text.match(/[^]{1,97}/g) ?? []
    const said = told(pieces)
    expect(said).toBe(masker.text(text))
    expect(said.startsWith('[redacted]')).toBe(true)
    const few = [value.slice(0, 3), value.slice(3, 40), value.slice(40), '.'.repeat(12_450), '.'.repeat(150)]
    expect(told(few)).toBe(said)
  })

  it('values that overlap without end are not kept without end', () => {
    const overlapping = { spans: (text: string) => [[0, text.length + 1]] as const, text: (text: string) => text }
    const text = new Pieces(overlapping as unknown as Masker, false)
    expect(() => {
      for (let n = 0; n < 100; n += 1) text.push('x y '.repeat(250))
    }).toThrow(/too long to be held back/)
  })

  it('a run without end is not kept without end', () => {
    const text = new Pieces(masker, false)
    let said = 0
    for (let n = 0; n < 100; n += 1) said += text.push('x'.repeat(1_000)).length
    expect(said).toBeGreaterThan(80_000)
  })
})

describe('JSON in pieces', () => {
  const json = '{"to": "ada@example.test", "person": {"email": "x", "id": 1}}'

  it('is masked by field when all of it is there', () => {
    const masked = told(json.split(''), true, fielded)
    expect(JSON.parse(masked)).toEqual({ to: '[redacted]', person: { email: fielded.value('x', 'hash'), id: 1 } })
    expect(told(json.split(''), false, fielded)).toBe(masked)
  })

  it('is not told where it does not come to its end, or is too long', () => {
    expect(() => told([json.slice(0, 50)], true, fielded)).toThrow(/does not come to its end/)
    expect(() => told(['{"a":"', 'x'.repeat(1_100_000)], true)).toThrow(/too long/)
    expect(told(['[ada@example.test] says'], false)).toBe('[[redacted]] says')
  })
})
