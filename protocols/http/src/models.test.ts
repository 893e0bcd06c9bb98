import { describe, expect, it } from 'vitest'
import { watchModel } from './models.js'
import type { ModelAnswer } from './models.js'

function read(type: string, text: string, size = 7): ModelAnswer {
  let told: ModelAnswer | undefined
  const stage = watchModel(type, (answer) => (told = answer))
  const bytes = Buffer.from(text)
  const out: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) out.push(stage.push(bytes.subarray(at, at + size)))
  out.push(stage.end())
  expect(Buffer.concat(out).equals(bytes)).toBe(true)
  if (told === undefined) throw new Error('nothing was told')
  return told
}

const events = (...all: readonly object[]): string => all.map((each) => `data: ${JSON.stringify(each)}\r\n\r\n`).join('')

describe('what a model answered', () => {
  it.each([1, 7, 4096])('of a Messages stream, in pieces of %i bytes', (size) => {
    const text = events(
      { type: 'message_start', message: { id: 'm', model: 'c', usage: { input_tokens: 3, output_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 't', name: 'find', input: {} } },
      { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"ä":' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '1}' } },
      { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 9 } },
    )
    expect(read('text/event-stream', text, size)).toEqual({
      id: 'm',
      model: 'c',
      stop: 'tool_use',
      inputTokens: 3,
      outputTokens: 9,
      toolCalls: [{ id: 't', name: 'find', arguments: '{"ä":1}' }],
    })
  })

  it.each([1, 7, 4096])("of Ollama's lines, in pieces of %i bytes", (size) => {
    const common = { model: 'llama-test', created_at: '2026-11-24T04:00:00Z' }
    const call = (name: string): object => ({
      role: 'assistant',
      content: '',
      tool_calls: [{ function: { name, arguments: { ä: 1 } } }],
    })
    const text = [
      { ...common, message: { role: 'assistant', content: 'Let me look.' }, done: false },
      { ...common, message: call('find'), done: false },
      { ...common, message: call('send'), done: false },
      {
        ...common,
        message: { role: 'assistant', content: '' },
        done: true,
        done_reason: 'stop',
        prompt_eval_count: 3,
        eval_count: 9,
      },
    ]
      .map((each) => JSON.stringify(each))
      .join('\n')
    expect(read('application/x-ndjson', text, size)).toEqual({
      model: 'llama-test',
      stop: 'stop',
      inputTokens: 3,
      outputTokens: 9,
      toolCalls: ['find', 'send'].map((name) => ({ id: '', name, arguments: '{"ä":1}' })),
    })
  })

  it('of a Responses answer', () => {
    const text = JSON.stringify({
      id: 'r',
      object: 'response',
      status: 'completed',
      model: 'g',
      output: [{ type: 'function_call', call_id: 'c', name: 'find', arguments: '{}' }],
      usage: { input_tokens: 1, output_tokens: 2 },
    })
    expect(read('application/json', text)).toEqual({
      id: 'r',
      model: 'g',
      stop: 'completed',
      inputTokens: 1,
      outputTokens: 2,
      toolCalls: [{ id: 'c', name: 'find', arguments: '{}' }],
    })
  })

  it.each(['', 'null', '[]', '{', 'data: {', '{"usage":5,"choices":[{"delta":5},null],"content":{},"output":"x","message":[]}'])(
    'of %j is nothing',
    (text) => {
      expect(read('application/json', text)).toEqual({ toolCalls: [] })
      expect(read('text/event-stream', `data: ${text}\n\n`)).toEqual({ toolCalls: [] })
    },
  )

  it('is bounded', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => ({
      type: 'content_block_start',
      index,
      content_block: { type: 'tool_use', id: `t${index}`, name: 'n' },
    }))
    expect(read('text/event-stream', events(...many), 65_536).toolCalls.length).toBe(256)
    const long = read('text/event-stream', `data: ${'x'.repeat(5_000_000)}\n\n`, 65_536)
    expect(long.toolCalls).toEqual([])
  })
})
