import { describe, expect, it } from 'vitest'
import type { Mask } from '@sallyport/core'
import { maskBody } from './body.js'
import { Masker } from './masker.js'
import { Unmaskable } from './unmaskable.js'

const masks: readonly Mask[] = [
  { column: '@email', with: 'redact' },
  { column: '*.salary', with: 'null' },
]
const masked = (events: readonly object[], extra: readonly Mask[] = [], ending = ''): readonly Record<string, unknown>[] => {
  const stage = maskBody(new Masker([...masks, ...extra], { hash: 'h', token: 't' }), 'text/event-stream')
  if (stage === undefined) throw new Error('no stage')
  const sent =
    events
      .map((event) => `event: ${'type' in event ? String(event.type) : 'message'}\ndata: ${JSON.stringify(event)}\n\n`)
      .join('') + ending
  const out = Buffer.concat([...[...Buffer.from(sent)].map((byte) => stage.push(Buffer.from([byte]))), stage.end()]).toString()
  expect(out).not.toMatch(/ada|@example/)
  return out
    .split('\n\n')
    .flatMap((block) => block.split('\n').filter((line) => line.startsWith('data: {')))
    .map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>)
}

const joined = (events: readonly Record<string, unknown>[], pick: (event: never) => unknown): string =>
  events
    .map((event) => pick(event as never))
    .filter((text) => typeof text === 'string')
    .join('')

const said = ['Her mail', ' is ad', 'a@exa', 'mple.te', 'st. And so', ' on.']
const call = ['{"to": "ad', 'a@example', '.test", "salary": 12', '34}']

describe("Anthropic's Messages", () => {
  const events = [
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...said.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
    { type: 'content_block_stop', index: 0 },
    { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 't1', name: 'send', input: {} } },
    ...call.map((part) => ({ type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: part } })),
    { type: 'content_block_stop', index: 1 },
    { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 5 } },
    { type: 'message_stop' },
  ]

  it('texts and arguments are masked whole, in their order', () => {
    const out = masked(events)
    expect(joined(out, (event: { delta?: { text?: string } }) => event.delta?.text)).toBe('Her mail is [redacted]. And so on.')
    const args = joined(out, (event: { delta?: { partial_json?: string } }) => event.delta?.partial_json)
    expect(JSON.parse(args)).toEqual({ to: '[redacted]', salary: null })
    const stops = out.flatMap(({ type, index }, at) => (type === 'content_block_stop' ? [[index, at]] : []))
    const lastPiece = out.findLastIndex(({ type, index }) => type === 'content_block_delta' && index === 0)
    expect(stops[0]?.[1]).toBeGreaterThan(lastPiece)
    expect(out.at(-2)).toMatchObject({ type: 'message_delta', delta: { stop_reason: 'tool_use' } })
  })

  it('a field mask on the text itself covers every piece', () => {
    const out = masked(events, [{ column: '*.delta.text', with: 'redact' }])
    expect(joined(out, (event: { delta?: { text?: string } }) => event.delta?.text)).toBe('[redacted]'.repeat(said.length))
  })

  it('what a block begins with is one text with its deltas, and the block begins once', () => {
    const block = (index: number, first: string, rest: readonly string[]): readonly object[] => [
      { type: 'content_block_start', index, content_block: { type: 'text', text: first } },
      ...rest.map((text) => ({ type: 'content_block_delta', index, delta: { type: 'text_delta', text } })),
      { type: 'content_block_stop', index },
    ]
    const out = masked([...block(0, 'Her mail', said.slice(1)), ...block(1, 'Only ada@example.test', [])])
    const of = (at: number): string =>
      joined(
        out.filter(({ index }) => index === at),
        (event: { delta?: { text?: string }; content_block?: { text: string } }) => event.delta?.text ?? event.content_block?.text,
      )
    expect(of(0)).toBe('Her mail is [redacted]. And so on.')
    expect(of(1)).toBe('Only [redacted]')
    expect(out.filter(({ type }) => type === 'content_block_start')).toHaveLength(2)
    expect(out.at(-2)).toEqual({ type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Only [redacted]' } })
  })

  it('what is held back when the stream ends is told', () => {
    expect(joined(masked(events.slice(0, 7)), (event: { delta?: { text?: string } }) => event.delta?.text)).toBe(
      'Her mail is [redacted]. And so on.',
    )
  })
})

describe("OpenAI's Chat Completions", () => {
  const chunk = (delta: object, finish: string | null = null, index = 0): object => ({
    id: 'c1',
    object: 'chat.completion.chunk',
    choices: [{ index, delta, logprobs: { content: [{ token: 'ada@example.test' }] }, finish_reason: finish }],
  })

  it('contents and arguments of several choices are masked whole', () => {
    const events = [
      ...said.flatMap((content) => [chunk({ content }), chunk({ content: content.toUpperCase() }, null, 1)]),
      chunk({}, 'stop', 1),
      ...call.map((part) => chunk({ tool_calls: [{ index: 0, id: 'call_1', function: { name: 'send', arguments: part } }] })),
      chunk({ content: ' Bye ada@example.test' }, 'tool_calls'),
    ]
    const out = masked(
      events.map((event) => JSON.parse(JSON.stringify(event).replaceAll('ADA@EXAMPLE', 'x@EXAMPLE')) as object),
      [],
      'data: [DONE]\n\n',
    )
    type Chunk = { choices?: { index: number; delta: { content?: string; tool_calls?: { function: { arguments: string } }[] } }[] }
    const of = (index: number): string =>
      joined(out, (event: Chunk) => event.choices?.find((choice) => choice.index === index)?.delta.content)
    expect(of(0)).toBe('Her mail is [redacted]. And so on. Bye [redacted]')
    expect(of(1)).toBe('HER MAIL IS [redacted]. AND SO ON.')
    const args = joined(out, (event: Chunk) => event.choices?.[0]?.delta.tool_calls?.[0]?.function.arguments)
    expect(JSON.parse(args)).toEqual({ to: '[redacted]', salary: null })
  })

  it('so is what a tool of free text is given', () => {
    const out = masked(
      said.map((input) => chunk({ tool_calls: [{ index: 0, type: 'custom', custom: { name: 'say', input } }] })),
      [],
      'data: [DONE]\n\n',
    )
    type Chunk = { choices?: { delta: { tool_calls?: { custom: { input: string } }[] } }[] }
    expect(joined(out, (event: Chunk) => event.choices?.[0]?.delta.tool_calls?.[0]?.custom.input)).toBe(
      'Her mail is [redacted]. And so on.',
    )
  })
})

describe("OpenAI's Responses", () => {
  const logprobs = [{ token: 'ada', top_logprobs: [] }, { token: '@example.test' }]

  it('probabilities of tokens are left out wherever they stand', () => {
    const part = { type: 'output_text', text: 'ok', logprobs }
    const out = masked([
      { type: 'response.output_text.done', text: 'ok', logprobs },
      { type: 'response.content_part.done', part },
      { type: 'response.output_item.done', item: { type: 'message', content: [part] } },
      { type: 'response.completed', response: { output: [{ content: [part] }], top_logprobs: 2 } },
    ])
    expect(out[0]).toEqual({ type: 'response.output_text.done', text: 'ok', logprobs: [] })
    expect(out[1]).toMatchObject({ part: { text: 'ok', logprobs: [] } })
    expect(out[3]).toMatchObject({ response: { output: [{ content: [{ logprobs: [] }] }], top_logprobs: 2 } })
  })

  it('so they are of an answer that comes whole', () => {
    const stage = maskBody(new Masker(masks, { hash: 'h', token: 't' }), 'application/json')
    if (stage === undefined) throw new Error('no stage')
    const choice = { message: { content: 'ok' }, logprobs: { content: logprobs } }
    const out = Buffer.concat([stage.push(Buffer.from(JSON.stringify({ choices: [choice], logprobs }))), stage.end()]).toString()
    expect(JSON.parse(out)).toEqual({ choices: [{ message: { content: 'ok' }, logprobs: null }], logprobs: [] })
  })

  it('texts, arguments and what repeats them are masked whole', () => {
    const item = { item_id: 'm1', output_index: 0, content_index: 0 }
    const out = masked([
      ...said.map((delta, n) => ({
        type: 'response.output_text.delta',
        ...item,
        sequence_number: n,
        delta,
        logprobs: [{ token: 'ada' }],
      })),
      { type: 'response.output_text.done', ...item, text: said.join('') },
      ...call.map((delta) => ({ type: 'response.function_call_arguments.delta', item_id: 'f1', output_index: 1, delta })),
      { type: 'response.function_call_arguments.done', item_id: 'f1', output_index: 1, arguments: call.join('') },
      {
        type: 'response.completed',
        response: { output: [{ type: 'message', content: [{ type: 'output_text', text: said.join('') }] }] },
      },
    ])
    const of = (type: string): string =>
      joined(
        out.filter((event) => event['type'] === type),
        (event: { delta?: string }) => event.delta,
      )
    expect(of('response.output_text.delta')).toBe('Her mail is [redacted]. And so on.')
    expect(JSON.parse(of('response.function_call_arguments.delta'))).toEqual({ to: '[redacted]', salary: null })
    expect(out.at(-1)).toMatchObject({ type: 'response.completed' })
  })
})

it('events that tell nothing in pieces are as they were', () => {
  expect(masked([{ type: 'ping' }, { id: 1, salary: 5, note: 'x' }])).toEqual([
    { type: 'ping' },
    { id: 1, salary: null, note: 'x' },
  ])
})

describe("Ollama's lines", () => {
  const common = { model: 'm', created_at: '2026-11-24T04:00:00Z' }
  const line = (more: object): string => `${JSON.stringify({ ...common, done: false, ...more })}\n`
  const stated = { model: 'm', done: true, done_reason: 'stop', prompt_eval_count: 3, eval_count: 5 }
  const ending = JSON.stringify({ ...common, ...stated, message: { role: 'assistant', content: '' } })
  const lines = (text: string, size: number): readonly Record<string, unknown>[] => {
    const stage = maskBody(new Masker(masks, { hash: 'h', token: 't' }), 'application/x-ndjson; charset=utf-8')
    if (stage === undefined) throw new Error('no stage')
    const bytes = Buffer.from(text)
    const out: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size) out.push(stage.push(bytes.subarray(at, at + size)))
    return Buffer.concat([...out, stage.end()])
      .toString()
      .split('\n')
      .filter((each) => each !== '')
      .map((each) => JSON.parse(each) as Record<string, unknown>)
  }

  it.each([1, 9, 4096])('a message, its thoughts and its calls, in pieces of %i bytes', (size) => {
    const made = { function: { name: 'send', arguments: { to: 'ada@example.test', salary: 1234, n: 1 } } }
    const text = [
      ...said.map((thinking) => line({ message: { role: 'assistant', content: '', thinking } })),
      ...said.map((content) => line({ message: { role: 'assistant', content } })),
      line({ message: { role: 'assistant', content: '', tool_calls: [made] } }),
      ending,
    ].join('')
    const out = lines(text, size)
    type Line = { message: { content: string; thinking?: string; tool_calls?: object[] } }
    expect(joined(out, (each: Line) => each.message.content)).toBe('Her mail is [redacted]. And so on.')
    expect(joined(out, (each: Line) => each.message.thinking)).toBe('Her mail is [redacted]. And so on.')
    const asked = out.find((each) => (each as unknown as Line).message.tool_calls !== undefined)
    expect(asked).toMatchObject({
      message: { tool_calls: [{ function: { name: 'send', arguments: { to: '[redacted]', salary: null, n: 1 } } }] },
    })
    expect(out.at(-1)).toMatchObject(stated)
  })

  it('a plain answer', () => {
    const out = lines(said.map((response) => line({ response })).join('') + line({ response: '', done: true, context: [1, 2] }), 5)
    expect(joined(out, (each: { response: string }) => each.response)).toBe('Her mail is [redacted]. And so on.')
    expect(out.at(-1)).toMatchObject({ done: true, context: [1, 2] })
  })

  it('what is held back where the last line never comes is told, and half a line is not', () => {
    const cut = said.map((response) => line({ response })).join('')
    expect(joined(lines(cut, 7), (each: { response: string }) => each.response)).toBe('Her mail is [redacted]. And so on.')
    expect(() => lines(`${cut}{"model":"m","resp`, 7)).toThrow(Unmaskable)
  })

  it('lines that only look a little like it are left as they are', () => {
    const todo = '{"done":false,"message":{"title":"buy milk"}}\n{"done":true,"message":{"title":"and ada@example.test"}}\n'
    expect(lines(todo, 3)).toEqual([
      { done: false, message: { title: 'buy milk' } },
      { done: true, message: { title: 'and [redacted]' } },
    ])
  })
})
