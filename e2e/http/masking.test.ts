// Masks over every way an answer is packed, cut up and told: nothing of a planted value comes through, what is not covered is as it was, and
// fields that spoke of the unmasked bytes are gone. What cannot be masked is not shown.

import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHttpStage, plantedCard, plantedMail, type HttpStage } from '../backends/http-stage.js'

const people = {
  data: [{ id: 9007199254740993n.toString(), email: plantedMail, salary: 81_234, name: 'Ada Brück' }],
  note: `write to ${plantedMail}, card ${plantedCard}`,
  log: JSON.stringify({ email: plantedMail }),
}
const json = JSON.stringify(people)
const csv = `id,email,note\r\n12,${plantedMail},"a, ""b"""\r\n13,,${plantedCard}\r\n`
const events = `event: row\ndata: ${JSON.stringify({ email: plantedMail })}\n\n: ${plantedMail}\n\ndata: {"n":1}\n\n`

const packers = new Map<string, (text: string) => Buffer>(
  Object.entries({
    identity: (text) => Buffer.from(text),
    gzip: (text) => gzipSync(text),
    'x-gzip': (text) => gzipSync(text),
    deflate: (text) => deflateSync(text),
    br: (text) => brotliCompressSync(text),
    // Node 20 cannot unpack it, and `deflate` without its wrapping is not what the name stands for (RFC 9110, section 8.4.1.2).
    zstd: (text) => Buffer.from(text),
    raw: (text) => deflateRawSync(text),
  } satisfies Readonly<Record<string, (text: string) => Buffer>>),
)
const kinds: Readonly<Record<string, readonly [type: string, text: string]>> = {
  json: ['application/json', json],
  problem: ['application/problem+json; charset=utf-8', json],
  lines: ['application/x-ndjson', `${json}\n${json}\n`],
  csv: ['text/csv', csv],
  events: ['text/event-stream', events],
  latin: ['application/json; charset=iso-8859-1', json],
  xml: ['application/xml', `<a>${plantedMail}</a>`],
  html: ['text/html', plantedMail],
  bytes: ['application/octet-stream', plantedMail],
}

const told = ['My mail is ada.pl', 'anted-4417@ex', 'ample.test, card 4111 11', '11 1111 1', '111. Bye.']
const sent = ['{"email": "ada.planted-44', '17@example.test", "sal', 'ary": 81234, "id": 5}']

function* modelEvents(api: string): Generator<object> {
  if (api === 'messages') {
    for (const text of told) yield { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }
    yield { type: 'content_block_stop', index: 0 }
    for (const part of sent)
      yield { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: part } }
    yield { type: 'content_block_stop', index: 1 }
    yield { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 7 } }
  } else if (api === 'completions') {
    for (const content of told) yield { id: 'c', choices: [{ index: 0, delta: { content }, finish_reason: null }] }
    for (const part of sent)
      yield {
        id: 'c',
        choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: part } }] }, finish_reason: null }],
      }
    yield { id: 'c', choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }
  } else {
    for (const delta of told) yield { type: 'response.output_text.delta', item_id: 'm', output_index: 0, content_index: 0, delta }
    yield { type: 'response.output_text.done', item_id: 'm', output_index: 0, content_index: 0, text: told.join('') }
    for (const delta of sent) yield { type: 'response.function_call_arguments.delta', item_id: 'f', output_index: 1, delta }
    yield { type: 'response.function_call_arguments.done', item_id: 'f', output_index: 1, arguments: sent.join('') }
  }
}

function* ollamaLines(): Generator<object> {
  const common = { model: 'm', created_at: '2026-11-24T04:00:00Z' }
  for (const content of told) yield { ...common, message: { role: 'assistant', content }, done: false }
  const call = { function: { name: 'send', arguments: JSON.parse(sent.join('')) as unknown } }
  yield { ...common, message: { role: 'assistant', content: '', tool_calls: [call] }, done: false }
  yield { ...common, message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop', eval_count: 7 }
}

async function play(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://backend')
  const api = /\/v1\/(?:chat\/)?(messages|completions|responses)$/.exec(url.pathname)?.[1]
  if (url.pathname === '/api/chat') {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    for (const line of ollamaLines()) response.write(`${JSON.stringify(line)}\n`)
    response.end()
    return
  }
  if (api !== undefined) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of modelEvents(api)) response.write(`data: ${JSON.stringify(event)}\n\n`)
    response.end('data: [DONE]\n\n')
    return
  }
  const [, , kind = '', packing = '', cut = ''] = url.pathname.split('/')
  const [type, text] = kinds[kind] ?? ['', '']
  const bytes = packers.get(packing)?.(text) ?? Buffer.from(text)
  const digest = createHash('sha256').update(bytes).digest('base64')
  response.writeHead(request.headers.range === undefined ? 200 : 206, {
    'content-type': type,
    ...(packing === 'identity' ? {} : { 'content-encoding': packing === 'raw' ? 'deflate' : packing }),
    ...(cut === '' ? { 'content-length': bytes.length } : {}),
    ...(request.headers.range === undefined ? {} : { 'content-range': `bytes 0-9/${bytes.length}` }),
    etag: `"${digest}"`,
    'last-modified': 'Mon, 23 Nov 2026 00:00:00 GMT',
    digest: `sha-256=${digest}`,
    'content-digest': `sha-256=:${digest}:`,
    'accept-ranges': 'bytes',
    'x-asked-encoding': String(request.headers['accept-encoding']),
    'x-asked-conditions': request.headers.range ?? request.headers['if-none-match'] ?? 'none',
  })
  if (request.method === 'HEAD' || cut === '') {
    response.end(request.method === 'HEAD' ? undefined : bytes)
    return
  }
  for (let at = 0; at < bytes.length; at += 7) {
    response.write(bytes.subarray(at, at + 7))
    if (at % 70 === 0) await sleep(1)
  }
  response.end()
}

let stage: HttpStage
beforeAll(async () => {
  stage = await openHttpStage({
    play: (request, response) => void play(request, response),
    rules: `
  - { name: mails, what: { fields: ["*.email", "email", "*salary"] }, then: mask, with: partial }
  - { name: found, what: { detectors: [email, card] }, then: mask, with: redact }
`,
  })
})
afterAll(() => stage.close())

function expectNothing(text: string): void {
  for (const value of [plantedMail, plantedCard, '81234', 'planted-4417']) expect(text).not.toContain(value)
}

describe.each(['json', 'problem', 'lines', 'csv', 'events'])('%s', (kind) => {
  it.each(['identity', 'gzip', 'x-gzip', 'deflate', 'br'])('packed as %s, whole and in small chunks', async (packing) => {
    const said: string[] = []
    for (const cut of ['', '/cut']) {
      const answer = await stage.ask(`/p/${kind}/${packing}${cut}`, {
        headers: { 'accept-encoding': 'gzip, br', range: 'bytes=0-9' },
      })
      const text = await answer.text()
      expectNothing(text)
      said.push(text)
      for (const name of ['etag', 'last-modified', 'digest', 'content-digest', 'content-encoding'])
        expect([name, answer.headers.get(name)]).toEqual([name, null])
      expect(answer.headers.get('accept-ranges')).toBe('none')
      expect([answer.headers.get('x-asked-encoding'), answer.headers.get('x-asked-conditions')]).toEqual(['identity', 'none'])
    }
    expect(said[0]).toBe(said[1])
    expect(said[0]).toContain('@example.test')
  })
})

describe('what is not covered', () => {
  it('is as it was, byte for byte', async () => {
    const text = await (await stage.ask('/p/json/br/cut')).text()
    const expected = json
      .replaceAll(`"email":"${plantedMail}"`, '"email":"a***@example.test"')
      .replace('"salary":81234', '"salary":null')
      .replace(`\\"email\\":\\"${plantedMail}\\"`, '\\"email\\":\\"a***@example.test\\"')
      .replace(plantedMail, '[redacted]')
      .replace(plantedCard, '[redacted]')
    expect(text).toBe(expected)
    expect(await (await stage.ask('/p/csv/gzip')).text()).toBe(
      `id,email,note\r\n12,a***@example.test,"a, ""b"""\r\n13,,[redacted]\r\n`,
    )
  })

  it('HEAD says nothing of the unmasked answer', async () => {
    const answer = await stage.ask('/p/json/identity', { method: 'HEAD' })
    expect([answer.status, answer.headers.get('etag'), answer.headers.get('content-digest')]).toEqual([200, null, null])
  })
})

describe('what cannot be masked is denied', () => {
  it.each(['json/zstd', 'json/constructor', 'latin/identity', 'xml/identity', 'html/identity', 'bytes/identity'])(
    '%s',
    async (path) => {
      const answer = await stage.ask(`/p/${path}`)
      const text = await answer.text().catch(() => '')
      expectNothing(text)
      expect([answer.status, text]).toEqual([403, expect.stringMatching(/cannot be masked/)])
    },
  )

  it('what turns out not to be what it says is cut off', async () => {
    await expect(stage.ask('/p/json/raw').then((answer) => answer.text())).rejects.toThrow(/terminated|aborted|failed/)
  })
})

describe('a model that tells values in pieces', () => {
  it.each(['/v1/messages', '/v1/chat/completions', '/v1/responses'])('%s', async (path) => {
    const body = JSON.stringify({ model: 'm', stream: true, messages: [] })
    const answer = await stage.ask(path, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    const text = await answer.text()
    expectNothing(text)
    expect(text).not.toMatch(/ada|1111|812/)
    const pieces = text
      .split('\n')
      .filter((line) => line.startsWith('data: {'))
      .map((line) => JSON.parse(line.slice(6)) as Record<string, never>)
    const said = pieces.map((event) => textIn(event)).join('')
    expect(said).toBe('My mail is [redacted], card [redacted]. Bye.')
    expect(JSON.parse(pieces.map((event) => argumentsIn(event)).join(''))).toEqual({
      email: 'a***@example.test',
      salary: null,
      id: 5,
    })
    const sessions = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list')
    expectNothing((await stage.gateway.cli(['replay', sessions[0]?.id ?? '', '--instant'])).stdout)
  })
})

it('so does one that tells them in lines', async () => {
  // As curl sends it where nobody says what it is.
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await stage.ask('/api/chat', { method: 'POST', body: '{"model":"m","messages":[]}', headers })
  const text = await answer.text()
  expectNothing(text)
  type Line = { message: { content: string; tool_calls?: readonly { function: object }[] } }
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  expect(lines.map(({ message }) => message.content).join('')).toBe('My mail is [redacted], card [redacted]. Bye.')
  const call = lines.find(({ message }) => message.tool_calls !== undefined)?.message.tool_calls?.[0]
  expect(call?.function).toEqual({ name: 'send', arguments: { email: 'a***@example.test', salary: null, id: 5 } })
  const sessions = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list')
  const replay = (await stage.gateway.cli(['replay', sessions[0]?.id ?? '', '--instant'])).stdout
  expectNothing(replay)
  expect(replay).toMatch(/model: .*"outputTokens":7.*"name":"send"/)
})

interface Told {
  readonly type?: string
  readonly delta?: string | { readonly text?: string; readonly partial_json?: string }
  readonly choices?: readonly {
    readonly delta: {
      readonly content?: string
      readonly tool_calls?: readonly { readonly function: { readonly arguments: string } }[]
    }
  }[]
}

function textIn({ type, delta, choices }: Told): string {
  if (typeof delta === 'string') return type === 'response.output_text.delta' ? delta : ''
  return delta?.text ?? choices?.[0]?.delta.content ?? ''
}

function argumentsIn({ type, delta, choices }: Told): string {
  if (typeof delta === 'string') return type === 'response.function_call_arguments.delta' ? delta : ''
  return delta?.partial_json ?? choices?.[0]?.delta.tool_calls?.[0]?.function.arguments ?? ''
}
