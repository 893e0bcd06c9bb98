// Requests that two servers could read as different ones. Each must be answered once with a refusal, or reach the backend as the one
// request that it is; never as two, and never with bytes of one inside another.

import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHttpStage, type HttpStage } from '../backends/http-stage.js'

let stage: HttpStage
beforeAll(async () => {
  stage = await openHttpStage({ rules: '[{ name: no-secret, what: { paths: ["/secret*"] }, then: deny }]' })
})
afterAll(() => stage.close())

/** Sends the bytes as they are and gives back all that comes until the connection is closed or quiet. */
function raw(text: string): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connect(stage.port, '127.0.0.1')
    let said = ''
    const quiet = setTimeout(() => socket.destroy(), 1_500)
    socket.setEncoding('latin1').on('data', (chunk: string) => (said += chunk))
    socket.on('error', fail).on('close', () => {
      clearTimeout(quiet)
      done(said)
    })
    socket.write(Buffer.from(text, 'latin1'))
  })
}

const statuses = (said: string): readonly string[] => [...said.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => status ?? '')
const head = (first: string, ...more: readonly string[]): string =>
  `${[first, 'Host: gateway', `Authorization: Bearer ${stage.token}`, ...more].join('\r\n')}\r\n\r\n`
const inner = (): string => `GET /crm/secret HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${stage.token}\r\n\r\n`

describe('framing that can be read in two ways', () => {
  const cases: readonly (readonly [string, () => string])[] = [
    [
      'a length and a transfer coding',
      () => `${head('POST /crm/x HTTP/1.1', 'Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\n${inner()}`,
    ],
    [
      'a transfer coding and a length',
      () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: chunked', 'Content-Length: 6')}0\r\n\r\n${inner()}`,
    ],
    ['two lengths that differ', () => `${head('POST /crm/x HTTP/1.1', 'Content-Length: 3', 'Content-Length: 5')}abcde`],
    ['two lengths that agree', () => `${head('POST /crm/x HTTP/1.1', 'Content-Length: 3', 'Content-Length: 3')}abc`],
    ['a list of lengths', () => `${head('POST /crm/x HTTP/1.1', 'Content-Length: 3, 3')}abc`],
    ['a signed length', () => `${head('POST /crm/x HTTP/1.1', 'Content-Length: +3')}abc`],
    ['a negative length', () => `${head('POST /crm/x HTTP/1.1', 'Content-Length: -3')}abc`],
    ['a length in hexadecimal', () => `${head('POST /crm/x HTTP/1.1', 'Content-Length: 0x3')}abc`],
    ['a length too long to count', () => `${head('POST /crm/x HTTP/1.1', 'Content-Length: 99999999999999999999999')}abc`],
    ['a space before the colon', () => `${head('POST /crm/x HTTP/1.1', 'Content-Length : 3')}abc`],
    ['a coding that is not chunked', () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: identity')}0\r\n\r\n`],
    ['a coding spelt oddly', () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: xchunked')}0\r\n\r\n`],
    ['chunked twice', () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n`],
    ['chunked not last', () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: chunked, identity')}0\r\n\r\n`],
    ['a control character before the coding', () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: \u000bchunked')}0\r\n\r\n`],
    ['a chunk size that is no number', () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: chunked')}zz\r\nabc\r\n0\r\n\r\n`],
    ['a chunk size with a sign', () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: chunked')}+3\r\nabc\r\n0\r\n\r\n`],
    ['a chunk size with 0x', () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: chunked')}0x3\r\nabc\r\n0\r\n\r\n`],
    ['a chunk longer than its size', () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: chunked')}3\r\nabcdef\r\n0\r\n\r\n`],
    [
      'a chunk size that overflows',
      () => `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: chunked')}ffffffffffffffff1\r\nabc\r\n0\r\n\r\n`,
    ],
    ['lines that end with LF alone', () => `POST /crm/x HTTP/1.1\nHost: gateway\nContent-Length: 3\n\nabc`],
    ['a CR inside a field', () => head('GET /crm/x HTTP/1.1', 'X-A: b\rContent-Length: 3')],
    ['a NUL inside a field', () => head('GET /crm/x HTTP/1.1', 'X-A: b\u0000c')],
    ['a folded field', () => head('GET /crm/x HTTP/1.1', 'X-A: b\r\n c: d')],
    ['a field without a name', () => head('GET /crm/x HTTP/1.1', ': b')],
    ['a space in a name', () => head('GET /crm/x HTTP/1.1', 'X A: b')],
    ['two hosts', () => head('GET /crm/x HTTP/1.1', 'Host: other')],
    ['no host', () => `GET /crm/x HTTP/1.1\r\nAuthorization: Bearer ${stage.token}\r\n\r\n`],
    ['a host with a path', () => `GET /crm/x HTTP/1.1\r\nHost: gateway/secret\r\n\r\n`],
    ['a space before the first field', () => `GET /crm/x HTTP/1.1\r\n Host: gateway\r\n\r\n`],
    ['a version that is none', () => head('GET /crm/x HTTP/9.9')],
    ['no version', () => 'GET /crm/x\r\n\r\n'],
    ['a method with a space', () => head('GE T /crm/x HTTP/1.1')],
    ['a backslash in the path', () => head('GET /crm\\secret HTTP/1.1')],
    ['two credentials', () => head('GET /crm/x HTTP/1.1', 'Authorization: Bearer other')],
    ['headers without end', () => `GET /crm/x HTTP/1.1\r\nHost: gateway\r\n${'X-A: b\r\n'.repeat(9_000)}`],
  ]

  it.each(cases)('%s', async (_name, text) => {
    const before = stage.backend.asked.length
    const said = await raw(text())
    // What follows a message without a known end may be refused once more, and is never served.
    expect(statuses(said).length).toBeGreaterThan(0)
    for (const status of statuses(said)) expect(status).toMatch(/^(?:400|408|417|431|501|505)$/)
    expect(stage.backend.asked.length).toBe(before)
  })
})

describe('what is well formed', () => {
  it('is taken one after the other on one connection, each judged by itself', async () => {
    const said = await raw(`${head('GET /crm/one HTTP/1.1')}${inner()}${head('GET /crm/two HTTP/1.1', 'Connection: close')}`)
    expect(statuses(said)).toEqual(['200', '403', '200'])
  })

  it('is a body where it is a body', async () => {
    const body = inner()
    const said = await raw(`${head('POST /crm/x HTTP/1.1', `Content-Length: ${body.length}`, 'Connection: close')}${body}`)
    expect(statuses(said)).toEqual(['200'])
    expect(stage.backend.asked.at(-1)?.body.toString()).toBe(body)
    expect(stage.backend.asked.some(({ url }) => url.startsWith('/secret'))).toBe(false)
  })

  it('chunks with extensions and trailers reach the backend as one body', async () => {
    const said = await raw(
      `${head('POST /crm/x HTTP/1.1', 'Transfer-Encoding: chunked', 'Connection: close')}3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n`,
    )
    expect(statuses(said)).toEqual(['200'])
    expect(stage.backend.asked.at(-1)?.body.toString()).toBe('abcde')
  })
})

describe('HTTP/2 that would be two requests, or another, in HTTP/1.1', () => {
  const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
    const start = Buffer.alloc(9)
    start.writeUIntBE(payload.length, 0, 3)
    start.writeUInt8(type, 3)
    start.writeUInt8(flags, 4)
    start.writeUInt32BE(stream, 5)
    return Buffer.concat([start, payload])
  }
  /** Fields as they are, without any table or code (RFC 7541, section 6.2.2). */
  const fields = (pairs: readonly (readonly [string, string])[]): Buffer =>
    Buffer.concat(
      pairs.flatMap(([name, value]) => [
        Buffer.from([0, name.length]),
        Buffer.from(name, 'latin1'),
        Buffer.from([value.length]),
        Buffer.from(value, 'latin1'),
      ]),
    )

  /** Kinds of the frames that answer: 1 headers, 3 reset, 7 going away. */
  const ask = (pairs: readonly (readonly [string, string])[], body = ''): Promise<readonly number[]> =>
    new Promise((done, fail) => {
      const socket = connect(stage.port, '127.0.0.1')
      let said = Buffer.alloc(0)
      const kinds: number[] = []
      const quiet = setTimeout(() => socket.destroy(), 1_500)
      socket.on('error', fail).on('close', () => {
        clearTimeout(quiet)
        done(kinds)
      })
      socket.on('data', (chunk: Buffer) => {
        said = Buffer.concat([said, chunk])
        for (let length = said.length < 9 ? Infinity : said.readUIntBE(0, 3); said.length >= 9 + length;) {
          const kind = said[3] ?? 0
          if ([1, 3, 7].includes(kind)) kinds.push(kind)
          said = said.subarray(9 + length)
          length = said.length < 9 ? Infinity : said.readUIntBE(0, 3)
          if ([1, 3, 7].includes(kind)) setTimeout(() => socket.destroy(), 100)
        }
      })
      const data = body === '' ? [] : [frame(0, 1, 1, Buffer.from(body))]
      const opening = [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]
      socket.write(Buffer.concat([...opening, frame(1, body === '' ? 5 : 4, 1, fields(pairs)), ...data]))
    })

  const plain = (path = '/crm/x', method = 'POST'): (readonly [string, string])[] => [
    [':method', method],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'gateway'],
    ['authorization', `Bearer ${stage.token}`],
  ]
  const hidden = 'GET /secret HTTP/1.1\r\nHost: gateway\r\n\r\n'
  const cases: readonly (readonly [name: string, pairs: () => (readonly [string, string])[], body?: string])[] = [
    ['a transfer coding', () => [...plain(), ['transfer-encoding', 'chunked']], `0\r\n\r\n${hidden}`],
    ['a connection field', () => [...plain(), ['connection', 'keep-alive']]],
    ['a length shorter than the body', () => [...plain(), ['content-length', '3']], `abc${hidden}`],
    ['a length longer than the body', () => [...plain(), ['content-length', '30']], 'abc'],
    ['two lengths', () => [...plain(), ['content-length', '3'], ['content-length', '3']], 'abc'],
    ['a length that is none', () => [...plain(), ['content-length', '+3']], 'abc'],
    ['a capital in a name', () => [...plain(), ['Transfer-Encoding', 'chunked']]],
    ['a request in the path', () => plain(`/crm/x HTTP/1.1\r\nHost: a\r\n\r\nGET /crm/secret`)],
    ['a space in the path', () => plain('/crm/x /crm/secret')],
    ['a request in the method', () => plain('/crm/x', 'GET /crm/secret HTTP/1.1\r\nX-A:')],
    ['two paths', () => [...plain(), [':path', '/crm/secret']]],
    ['two methods', () => [[':method', 'GET'], ...plain()]],
    ['an unknown pseudo-field', () => [[':secret', '1'], ...plain()]],
    ['a pseudo-field after others', () => [...plain().slice(0, 2), ['x-a', 'b'], ...plain().slice(2)]],
    ['a host beside another authority', () => [...plain(), ['host', 'other']]],
    ['an authority with a path', () => plain().map(([name, value]) => [name, name === ':authority' ? 'gateway/secret' : value])],
    ['an upgrade', () => [...plain(), ['upgrade', 'websocket']]],
  ]

  /** Node's HTTP/2 leaves a field out that is none. */
  const leftOut: typeof cases = [
    ['a line break in a value', () => [...plain(), ['x-a', `b\r\nTransfer-Encoding: chunked`]]],
    ['a line feed in a value', () => [...plain(), ['x-a', 'b\nx: y']]],
    ['a NUL in a value', () => [...plain(), ['x-a', 'b\u0000c']]],
    ['a line break in a name', () => [...plain(), ['x-a: b\r\nx-b', 'c']]],
    ['a colon in a name', () => [...plain(), ['x:a', 'b']]],
    ['a space in a name', () => [...plain(), ['x a', 'b']]],
  ]

  it.each(cases.map(([name, pairs, body]) => ({ name, pairs, body })))('$name', async ({ pairs, body }) => {
    const before = stage.backend.asked.length
    expect((await ask(pairs(), body)).length).toBeGreaterThan(0)
    expect(stage.backend.asked.length).toBe(before)
  })

  it.each(leftOut.map(([name, pairs]) => ({ name, pairs })))('$name, which is left out', async ({ pairs }) => {
    const before = stage.backend.asked.length
    await ask(pairs())
    const arrived = stage.backend.asked.slice(before)
    expect(arrived.map(({ url, body }) => [url, body.length])).toEqual([['/x', 0]])
    expect(
      Object.keys(arrived[0]?.headers ?? {}).filter(
        (name) => /^(?:x.a|x-b|y|transfer-encoding|x-a.*)$/.test(name) && name !== 'x-api-key',
      ),
    ).toEqual([])
  })

  it('while what is well formed arrives', async () => {
    const before = stage.backend.asked.length
    expect(await ask([...plain(), ['content-length', '3']], 'abc')).toContain(1)
    expect(stage.backend.asked.length).toBe(before + 1)
  })
})
