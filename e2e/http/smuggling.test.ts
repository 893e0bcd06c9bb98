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
