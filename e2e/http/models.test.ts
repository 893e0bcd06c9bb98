// Model APIs: servers that answer as Anthropic's, OpenAI's and Ollama's public formats say, whole and streamed. What the model was asked and what it
// wants called is on record as structure.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHttpStage, storedKey, type HttpStage } from '../backends/http-stage.js'

/** https://docs.anthropic.com/en/api/messages-streaming */
const anthropicEvents: readonly (readonly [string, object])[] = [
  [
    'message_start',
    {
      type: 'message_start',
      message: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'claude-test',
        content: [],
        stop_reason: null,
        usage: { input_tokens: 25, output_tokens: 1 },
      },
    },
  ],
  ['content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
  ['content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Let me look.' } }],
  ['content_block_stop', { type: 'content_block_stop', index: 0 }],
  [
    'content_block_start',
    { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 'toolu_1', name: 'find_order', input: {} } },
  ],
  ['content_block_delta', { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"id":' } }],
  ['content_block_delta', { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: ' 12}' } }],
  ['message_delta', { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 15 } }],
  ['message_stop', { type: 'message_stop' }],
]

/** https://platform.openai.com/docs/api-reference/chat-streaming */
const chunk = (delta: object, finish: string | null = null, usage?: object): object => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model: 'gpt-test',
  choices: [{ index: 0, delta, finish_reason: finish }],
  ...(usage === undefined ? {} : { usage }),
})
const openaiEvents: readonly object[] = [
  chunk({
    role: 'assistant',
    content: null,
    tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'find_order', arguments: '' } }],
  }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '{"id":' } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: ' 12}' } }] }),
  chunk({}, 'tool_calls', { prompt_tokens: 25, completion_tokens: 15 }),
]

/** https://platform.openai.com/docs/api-reference/responses-streaming */
const responseItem = {
  id: 'fc_1',
  type: 'function_call',
  status: 'completed',
  call_id: 'call_1',
  name: 'find_order',
  arguments: '{"id": 12}',
}
const responseWhole = (status: string, output: readonly object[], usage: object | null): object => ({
  id: 'resp_1',
  object: 'response',
  status,
  model: 'gpt-test',
  output,
  usage,
})
const responseUsage = { input_tokens: 25, output_tokens: 15, total_tokens: 40 }
const responseEvents: readonly (readonly [string, object])[] = [
  ['response.created', { response: responseWhole('in_progress', [], null) }],
  ['response.output_item.added', { output_index: 0, item: { ...responseItem, status: 'in_progress', arguments: '' } }],
  ['response.function_call_arguments.delta', { item_id: 'fc_1', output_index: 0, delta: '{"id":' }],
  ['response.function_call_arguments.delta', { item_id: 'fc_1', output_index: 0, delta: ' 12}' }],
  ['response.function_call_arguments.done', { item_id: 'fc_1', output_index: 0, arguments: '{"id": 12}' }],
  ['response.output_item.done', { output_index: 0, item: responseItem }],
  ['response.completed', { response: responseWhole('completed', [responseItem], responseUsage) }],
]

function playResponses(response: ServerResponse, stream: boolean): void {
  if (!stream) {
    const whole = JSON.stringify(responseWhole('completed', [responseItem], responseUsage))
    response.writeHead(200, { 'content-type': 'application/json' }).end(whole)
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const [n, [type, data]] of responseEvents.entries())
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: n, ...data })}\n\n`)
  response.end()
}

/** https://docs.ollama.com/api/chat */
const ollamaLine = (message: object, more: object = { done: false }): object => ({
  model: 'llama-test',
  created_at: '2026-11-24T04:00:00.123Z',
  message: { role: 'assistant', content: '', ...message },
  ...more,
})
const ollamaCall = { tool_calls: [{ function: { name: 'find_order', arguments: { id: 12 } } }] }
const ollamaDone = { done: true, done_reason: 'stop', total_duration: 5_191_566_416, prompt_eval_count: 25, eval_count: 15 }

function playOllama(response: ServerResponse, stream: boolean): void {
  const lines = stream
    ? [ollamaLine({ content: 'Let me' }), ollamaLine({ content: ' look.' }), ollamaLine(ollamaCall), ollamaLine({}, ollamaDone)]
    : [ollamaLine({ content: 'Let me look.', ...ollamaCall }, ollamaDone)]
  response.writeHead(200, { 'content-type': stream ? 'application/x-ndjson' : 'application/json; charset=utf-8' })
  for (const line of lines) response.write(`${JSON.stringify(line)}\n`)
  response.end()
}

function play(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const { stream } = JSON.parse(body.toString()) as { stream?: boolean }
  if (request.url === '/api/chat') return playOllama(response, stream !== false)
  if (request.url === '/v1/responses') return playResponses(response, stream === true)
  const anthropic = request.url === '/v1/messages'
  if (stream === true) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (anthropic) for (const [event, data] of anthropicEvents) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    else for (const data of openaiEvents) response.write(`data: ${JSON.stringify(data)}\n\n`)
    response.end(anthropic ? '' : 'data: [DONE]\n\n')
    return
  }
  const whole = anthropic
    ? {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'claude-test',
        content: [{ type: 'tool_use', id: 'toolu_1', name: 'find_order', input: { id: 12 } }],
        stop_reason: 'tool_use',
        usage: { input_tokens: 25, output_tokens: 15 },
      }
    : {
        id: 'chatcmpl-1',
        object: 'chat.completion',
        model: 'gpt-test',
        choices: [
          {
            index: 0,
            finish_reason: 'tool_calls',
            message: {
              role: 'assistant',
              content: null,
              tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'find_order', arguments: '{"id": 12}' } }],
            },
          },
        ],
        usage: { prompt_tokens: 25, completion_tokens: 15 },
      }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(whole))
}

let stage: HttpStage
beforeAll(async () => {
  stage = await openHttpStage({
    play,
    rules: `
  - { name: no-writes, what: { access: [write] }, then: deny }
  - { name: no-big-models, what: { text: '"model": ?"big-' }, then: deny, reason: Too dear. }
`,
  })
})
afterAll(() => stage.close())

const paths = {
  anthropic: '/v1/messages',
  openai: '/v1/chat/completions',
  responses: '/v1/responses',
  ollama: '/api/chat',
} as const
const ids = {
  anthropic: ['msg_1', 'claude-test', 'toolu_1', 'tool_use'],
  openai: ['chatcmpl-1', 'gpt-test', 'call_1', 'tool_calls'],
  responses: ['resp_1', 'gpt-test', 'call_1', 'completed'],
  ollama: [undefined, 'llama-test', '', 'stop'],
} as const

describe.each(['anthropic', 'openai', 'responses', 'ollama'] as const)('the model API of %s', (kind) => {
  it.each([false, true])('streamed %s: passes whole and is on record as structure', async (stream) => {
    const body = JSON.stringify({
      model: 'm',
      max_tokens: 10,
      stream,
      messages: [{ role: 'user', content: `Where is order 12? ${kind} ${stream}` }],
    })
    const answer = await stage.ask(paths[kind], { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    const direct = await fetch(stage.backend.url + paths[kind], { method: 'POST', body })
    expect(answer.status).toBe(200)
    expect(await answer.text()).toBe(await direct.text())
    expect(stage.backend.asked.at(-2)?.headers['x-api-key']).toBe(storedKey)
    const sessions = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list')
    const lines = (await stage.gateway.cli(['replay', sessions[0]?.id ?? '', '--instant', '--json'])).stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { text: string }).text)
    expect(lines.some((line) => line.includes(`Where is order 12? ${kind} ${stream}`))).toBe(true)
    const told = lines.findLast((line) => /^\[\d+\] model: /.test(line)) ?? ''
    const [id, model, call, stop] = ids[kind]
    const said = JSON.parse(told.slice(told.indexOf('{'))) as { toolCalls: readonly { arguments: string }[] }
    expect(said).toMatchObject({
      ...(id === undefined ? {} : { id }),
      model,
      stop,
      inputTokens: 25,
      outputTokens: 15,
      toolCalls: [{ id: call, name: 'find_order' }],
    })
    expect(JSON.parse(said.toolCalls[0]?.arguments ?? '')).toEqual({ id: 12 })
  })

  it('can be ruled by what is asked', async () => {
    const answer = await stage.ask(paths[kind], {
      method: 'POST',
      body: '{"model":"big-1","messages":[]}',
      headers: { 'content-type': 'application/json' },
    })
    expect(answer.status).toBe(403)
    expect((await stage.ask('/v1/files', { method: 'POST', body: '{"model":"m"}' })).status).toBe(403)
  })
})
