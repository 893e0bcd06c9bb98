// A session as HAR 1.2, which browsers and most tools for HTTP read. http://www.softwareishard.com/blog/har-12-spec/

import type { Frame } from '@sallyport/core'
import { exchangesOf } from './recorded.js'
import type { Message, RecordedExchange } from './recorded.js'
import { unpacked } from './transcribe.js'

type Named = { readonly name: string; readonly value: string }

/** `origin`: what the paths are below. */
export async function toHar(frames: AsyncIterable<Frame>, origin: string): Promise<object> {
  const entries: object[] = []
  for await (const exchange of exchangesOf(frames)) {
    const entry = entryOf(exchange, origin)
    if (entry !== undefined) entries.push(entry)
  }
  return { log: { version: '1.2', creator: { name: 'Sallyport', version: '1' }, entries } }
}

function entryOf(exchange: RecordedExchange, origin: string): object | undefined {
  const request = exchange.sides.client.read()
  if (request === undefined) return undefined
  const durationMs = exchange.durationMs ?? 0
  return {
    startedDateTime: new Date(exchange.at / 1000).toISOString(),
    time: durationMs,
    request: requestOf(request, origin),
    response: responseOf(exchange.sides.upstream.read()),
    cache: {},
    timings: { send: 0, wait: durationMs, receive: 0 },
    _sallyport: {
      statement: exchange.statement.id,
      ruling: exchange.ruling,
      provenance: exchange.statement.provenance,
      error: exchange.error,
      marks: exchange.marks,
    },
  }
}

function requestOf(message: Message, origin: string): object {
  const [method = '', path = ''] = message.first.split(' ')
  const query = path.indexOf('?')
  const queryString = query < 0 ? [] : [...new URLSearchParams(path.slice(query + 1))].map(([name, value]) => ({ name, value }))
  const type = valueOf(message, 'content-type')
  return {
    method,
    url: origin + path,
    httpVersion: 'HTTP/1.1',
    cookies: [],
    headers: named(message),
    queryString,
    headersSize: -1,
    bodySize: message.body.length,
    ...(message.body.length === 0 ? {} : { postData: { mimeType: type, text: unpacked(message).toString('utf8'), params: [] } }),
  }
}

function responseOf(message: Message | undefined): object {
  const empty = {
    status: 0,
    statusText: '',
    httpVersion: 'HTTP/1.1',
    cookies: [],
    headers: [],
    redirectURL: '',
    headersSize: -1,
    bodySize: -1,
  }
  if (message === undefined) return { ...empty, content: { size: 0, mimeType: '' } }
  const body = unpacked(message)
  const mimeType = valueOf(message, 'content-type')
  const isText = Buffer.from(body.toString('utf8'), 'utf8').equals(body)
  const content = isText ? { text: body.toString('utf8') } : { text: body.toString('base64'), encoding: 'base64' }
  return {
    ...empty,
    status: Number(message.first.split(' ')[1]),
    headers: named(message),
    redirectURL: valueOf(message, 'location'),
    bodySize: message.body.length,
    content: { size: body.length, mimeType, ...(body.length === 0 ? {} : content) },
  }
}

function named(message: Message): readonly Named[] {
  return message.headers.map(([name, value]) => ({ name, value }))
}

function valueOf(message: Message, name: string): string {
  return message.headers.find(([known]) => known === name)?.[1] ?? ''
}
