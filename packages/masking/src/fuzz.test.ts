// Answers made by chance, with values planted in them, cut by chance and broken by chance. Whatever comes, no planted value goes through, and
// nothing is thrown but Unmaskable. The chance is the same every run, so that a failure can be seen again.

import { describe, expect, it } from 'vitest'
import type { Mask } from '@sallyport/core'
import { dice, oneOf } from '@sallyport/testkit'
import type { Dice } from '@sallyport/testkit'
import { maskBody } from './body.js'
import { Masker } from './masker.js'
import { Unmaskable } from './unmaskable.js'

const mail = 'ada.planted-4417@example.test'
const card = '4111 1111 1111 1111'
const salary = 814_417_233
const masks: readonly Mask[] = [
  { column: '@email', with: 'redact' },
  { column: '@card', with: 'redact' },
  { column: '*salary', with: 'null' },
]

const planted = (out: string, values: readonly string[] = [mail, card, String(salary)]): string | undefined =>
  values.find((each) => out.includes(each))
const words = [
  '',
  'write to',
  'ä€😀',
  '"quoted"',
  'a\\b',
  'line\nbreak',
  '{',
  '[1,',
  'x'.repeat(40),
  '12.5',
  'a@b',
  ',',
  ';',
  '4111',
]

function text(roll: Dice): string {
  const parts = Array.from({ length: 1 + roll(6) }, () => (roll(3) === 0 ? oneOf(roll, [mail, card]) : oneOf(roll, words)))
  return parts.join(' ')
}

function value(roll: Dice, depth: number): unknown {
  const kind = roll(depth > 3 ? 5 : 8)
  if (kind < 3) return text(roll)
  if (kind === 3) return oneOf(roll, [null, true, 0, -1.5e3, 12_345])
  if (kind === 4) return JSON.stringify({ salary, note: text(roll) })
  if (kind === 5) return Array.from({ length: roll(4) }, () => value(roll, depth + 1))
  return Object.fromEntries(
    Array.from({ length: 1 + roll(4) }, (_, n) => [
      `k${n}${oneOf(roll, ['', ' ', '"', 'ü', ` ${mail}`])}`,
      value(roll, depth + 1),
    ]).concat([['salary', salary]]),
  )
}

/** The texts of a model, each cut into pieces. */
function pieces(roll: Dice): readonly string[] {
  const whole = text(roll)
  const cut: string[] = []
  for (let at = 0; at < whole.length;) {
    const size = 1 + roll(12)
    cut.push(whole.slice(at, at + size))
    at += size
  }
  return cut
}

/** Shapes in which models tell texts in pieces; each begins, tells and ends. */
const tellers: Readonly<Record<string, (roll: Dice) => readonly object[]>> = {
  messages: (roll) => [
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...pieces(roll).map((piece) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: piece } })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_stop' },
  ],
  completions: (roll) => [
    ...pieces(roll).map((content) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })),
    { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
  ],
  responses: (roll) => [
    ...pieces(roll).map((delta) => ({ type: 'response.output_text.delta', item_id: 'm', output_index: 0, delta })),
    { type: 'response.output_text.done', item_id: 'm', output_index: 0 },
  ],
  chat: (roll) => [
    ...pieces(roll).map((content) => ({ model: 'm', created_at: 't', message: { role: 'assistant', content }, done: false })),
    { model: 'm', created_at: 't', message: { role: 'assistant', content: '' }, done: true, eval_count: 3 },
  ],
  generate: (roll) => [
    ...pieces(roll).map((response) => ({ model: 'm', created_at: 't', response, done: false })),
    { model: 'm', created_at: 't', response: '', done: true },
  ],
}

const event = (json: unknown): string => `data: ${JSON.stringify(json)}\n\n`
const line = (json: unknown): string => `${JSON.stringify(json)}\n`
const cell = (content: string): string => `"${content.replaceAll('"', '""')}"`

const kinds: Readonly<Record<string, (roll: Dice) => readonly [type: string, body: string]>> = {
  json: (roll) => ['application/json', JSON.stringify(value(roll, 0), null, roll(3))],
  lines: (roll) => ['application/x-ndjson', Array.from({ length: roll(6) }, () => line(value(roll, 1))).join('')],
  events: (roll) => ['text/event-stream', Array.from({ length: roll(6) }, () => event(value(roll, 1))).join('')],
  csv: (roll) => [
    'text/csv',
    ['id,salary,note', ...Array.from({ length: roll(6) }, (_, n) => `${n},${salary},${cell(text(roll))}`)].join('\r\n'),
  ],
  ...Object.fromEntries(
    Object.entries(tellers).map(([name, told]) => [
      name,
      (roll: Dice): readonly [string, string] =>
        name === 'chat' || name === 'generate'
          ? ['application/x-ndjson', told(roll).map(line).join('')]
          : ['text/event-stream', told(roll).map(event).join('')],
    ]),
  ),
}

/** What came out; where it was refused, what came before that. */
function masked(type: string, bytes: Buffer, roll: Dice): { readonly out: string; readonly refused: boolean } {
  const stage = maskBody(new Masker(masks, { hash: 'h', token: 't' }), type)
  if (stage === undefined) throw new Error(`no mask for ${type}`)
  const out: Buffer[] = []
  try {
    for (let at = 0; at < bytes.length;) {
      const size = 1 + roll(oneOf(roll, [3, 20, 300]))
      out.push(stage.push(bytes.subarray(at, at + size)))
      at += size
    }
    out.push(stage.end())
  } catch (error) {
    if (!(error instanceof Unmaskable)) throw error
    return { out: Buffer.concat(out).toString(), refused: true }
  }
  return { out: Buffer.concat(out).toString(), refused: false }
}

/** All strings of an answer, those that are told in pieces put together, without what writing them added. */
function said(out: string): string {
  const strings: string[] = []
  for (const part of out.split('\n')) {
    try {
      JSON.parse(part.replace(/^data: /, ''), (_key, each: unknown) => {
        if (typeof each === 'string') strings.push(each)
        return each
      })
    } catch {
      strings.push(part)
    }
  }
  return `${out}\n${strings.filter((each) => !/^(?:\w+_delta|response\.\w.*|assistant|[mt])$/.test(each)).join('')}`
}

describe.each(Object.keys(kinds))('%s', (kind) => {
  it('lets nothing through, and is not refused, however it is cut', () => {
    for (let seed = 1; seed <= 150; seed += 1) {
      const roll = dice(seed)
      const [type, body] = kinds[kind]?.(roll) ?? ['', '']
      const { out, refused } = masked(type, Buffer.from(body), roll)
      expect([seed, refused, planted(said(out))]).toEqual([seed, false, undefined])
    }
  })

  it('lets nothing through where it is broken', () => {
    for (let seed = 1; seed <= 150; seed += 1) {
      const roll = dice(seed * 7919)
      const [type, body] = kinds[kind]?.(roll) ?? ['', '']
      const bytes = Buffer.from(body)
      const at = bytes.length === 0 ? 0 : roll(bytes.length)
      if (bytes.length > 0) bytes[at] = oneOf(roll, [0x00, 0x0a, 0x0d, 0x20, 0x22, 0x5c, 0x7b, 0x7d, 0x5d, 0x2c, 0xff, 0xc3])
      const { out } = masked(type, bytes.subarray(0, roll(4) === 0 ? at : bytes.length), roll)
      // A field whose name is broken is another field, but what a value looks like stays.
      expect([seed, planted(out, [mail, card])]).toEqual([seed, undefined])
    }
  })
})
