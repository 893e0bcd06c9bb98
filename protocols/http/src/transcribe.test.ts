import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Frame } from '@sallyport/core'
import { toHar } from './har.js'
import { transcribe } from './transcribe.js'

const statement = (id: number, text: string): Frame => ({
  kind: 'statement',
  at: 1_000_000 * id,
  statement: { id, kind: 'request', text, parameters: [], effects: [], held: true, provenance: 'claimed' },
})
const bytes = (channel: number, from: 'client' | 'upstream', text: string | Buffer): Frame => ({
  kind: 'bytes',
  at: 0,
  channel,
  from,
  bytes: Buffer.from(text as string),
})
const frames: readonly Frame[] = [
  statement(1, 'GET /a?x=1'),
  { kind: 'ruling', at: 0, statement: 1, ruling: { kind: 'allow', rule: null }, reviewers: [] },
  bytes(1, 'client', 'GET /a?x=1 HTTP/1.1\r\naccept: */*\r\n\r\n'),
  statement(2, 'POST /b'),
  {
    kind: 'ruling',
    at: 0,
    statement: 2,
    ruling: { kind: 'deny', cause: 'rule', rule: 'no', reason: 'Not here.' },
    reviewers: ['rita'],
  },
  bytes(2, 'client', 'POST /b HTTP/1.1\r\ncontent-type: application/json\r\n\r\n{"a":1}'),
  // Two exchanges at once, and a head in two pieces.
  bytes(1, 'upstream', 'HTTP/1.1 200\r\ncontent-type: application/json\r\ncontent-enc'),
  bytes(2, 'upstream', 'HTTP/1.1 403\r\nlocation: /c\r\ncontent-type: image/png\r\n\r\n'),
  bytes(2, 'upstream', Buffer.from([0xff, 0xd8])),
  bytes(1, 'upstream', Buffer.concat([Buffer.from('oding: gzip\r\n\r\n'), gzipSync('{"b":2}')])),
  { kind: 'mark', at: 0, channel: 1, name: 'model', detail: '{}' },
  { kind: 'outcome', at: 0, statement: 2, rows: 0, bytes: 2, durationMs: 1.25, error: '403' },
  { kind: 'outcome', at: 0, statement: 1, rows: 0, bytes: 30, durationMs: 2.5 },
  statement(3, 'GET /never-answered'),
]
async function* each(): AsyncGenerator<Frame> {
  yield* frames
}

describe('a recorded session', () => {
  it('reads as text', async () => {
    const lines: string[] = []
    for await (const { from, text } of transcribe(each())) lines.push(`${from}: ${text}`)
    expect(lines).toEqual([
      'client: [1] GET /a?x=1',
      'gateway: [1] allowed',
      'client: [2] POST /b',
      'gateway: [2] denied by rule no: Not here. (reviewed by rita)',
      'gateway: [1] model: {}',
      'upstream: [2] 403 (image/png, 2 bytes)',
      'gateway: [2] 2 bytes, 1.3 ms, 403',
      'upstream: [1] 200\n{"b":2}',
      'gateway: [1] 30 bytes, 2.5 ms',
      'client: [3] GET /never-answered',
    ])
  })

  it('reads as HAR', async () => {
    const { log } = (await toHar(each(), 'https://crm.test')) as { log: { entries: readonly Record<string, never>[] } }
    expect(log.entries).toMatchObject([
      {
        request: { method: 'POST', url: 'https://crm.test/b', postData: { mimeType: 'application/json', text: '{"a":1}' } },
        response: { status: 403, redirectURL: '/c', content: { encoding: 'base64', text: '/9g=' } },
        _sallyport: { statement: 2, error: '403' },
      },
      {
        request: { method: 'GET', queryString: [{ name: 'x', value: '1' }] },
        response: { status: 200, content: { text: '{"b":2}', mimeType: 'application/json' } },
        _sallyport: { provenance: 'claimed', marks: [{ name: 'model', detail: '{}' }] },
      },
    ])
  })
})
