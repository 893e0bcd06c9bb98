import { describe, expect, it } from 'vitest'
import type { Frame } from '@sallyport/core'
import { cast } from './cast.js'
import { Content } from './content.js'
import { EchoedInput } from './echo.js'
import { faultOf } from './command.js'
import { readUser } from './login.js'
import { transcribe } from './transcribe.js'

const lines = (echoed: EchoedInput, printed: string): string[] => echoed.printed(Buffer.from(printed)).map(String)

describe('input told by its echo', () => {
  it('keeps a line that was shown, however it was cut', () => {
    const echoed = new EchoedInput()
    expect(lines(echoed, '$ ')).toEqual([])
    for (const character of 'ls -l') {
      echoed.typed(Buffer.from(character))
      expect(lines(echoed, character)).toEqual([])
    }
    echoed.typed(Buffer.from('\r'))
    expect(lines(echoed, '\r\nfile\r\n$ ')).toEqual(['ls -l\r'])
    echoed.typed(Buffer.from('pwd\r'))
    expect(lines(echoed, 'pw')).toEqual([])
    expect(lines(echoed, 'd\r\n/root\r\n')).toEqual(['pwd\r'])
  })
  it('forgets a line that was not shown, also where the answer begins like it', () => {
    const echoed = new EchoedInput()
    lines(echoed, 'Password: ')
    echoed.typed(Buffer.from('hunter2\r'))
    expect(lines(echoed, '\r\nhunter')).toEqual([])
    echoed.typed(Buffer.from('ls\r'))
    expect(lines(echoed, 'ls\r\n')).toEqual(['ls\r'])
    echoed.typed(Buffer.from('secret\r'))
    expect(lines(echoed, 'sec')).toEqual([])
    expect(lines(echoed, 'tion one\r\n')).toEqual([])
  })
  it('forgets what is too long', () => {
    const echoed = new EchoedInput()
    echoed.typed(Buffer.alloc(10_000, 97))
    expect(lines(echoed, 'a'.repeat(10_000))).toEqual([])
    echoed.typed(Buffer.from('x\r'))
    expect(lines(echoed, 'x\r\n')).toEqual(['x\r'])
  })
})

it('reads who and where from a user name', () => {
  expect(readUser('web')).toEqual({ identity: '', target: 'web' })
  expect(readUser('bot:web')).toEqual({ identity: 'bot', target: 'web' })
  expect(readUser('corp:bot:web')).toEqual({ identity: 'corp:bot', target: 'web' })
})

it('keeps the beginning of bulk data and the hash of all of it', () => {
  const content = new Content(4)
  expect(content.take(Buffer.from('abc')).toString()).toBe('abc')
  expect(content.take(Buffer.from('def')).toString()).toBe('d')
  expect(content.take(Buffer.from('ghi'))).toHaveLength(0)
  expect(content.summary()).toBe(
    '9 bytes, sha256 19cc02f26df43cc571bc9ed7b0c4d29224a3ec229529221725ef76d021c8326f, the first 4 recorded',
  )
})

it('refuses commands that would not run as they are judged', () => {
  expect(faultOf('ls', [])).toBeUndefined()
  expect(faultOf('ls \ufffd', [])).toMatch(/UTF-8/)
  expect(faultOf('ls\0', [])).toMatch(/UTF-8/)
  expect(faultOf('x'.repeat(200_000), [])).toMatch(/characters/)
  const standIn = 'psql -c "update x set a = \'tok_0123456789abcdef\'"'
  expect(faultOf(standIn, [{ access: 'read', verb: 'run', object: '' }])).toBeUndefined()
  expect(faultOf(standIn, [{ access: 'write', verb: 'update', object: 'x' }])).toMatch(/stand-in/)
})

async function* frames(): AsyncIterable<Frame> {
  yield { kind: 'mark', at: 1e6, channel: 2, name: 'terminal', detail: '100x30 xterm' }
  yield { kind: 'bytes', at: 1.5e6, channel: 2, from: 'upstream', bytes: Buffer.from([0xe2, 0x82]) }
  yield { kind: 'bytes', at: 2e6, channel: 2, from: 'upstream', bytes: Buffer.from([0xac, 0x1b, 0x5b, 0x6d]) }
  yield { kind: 'bytes', at: 2e6, channel: 2, from: 'client', bytes: Buffer.from('ls\r') }
  yield { kind: 'bytes', at: 2e6, channel: 3, from: 'upstream', bytes: Buffer.from('oops\n') }
  yield { kind: 'mark', at: 3e6, channel: 2, name: 'resize', detail: '90x20' }
}

it('makes an asciicast of a terminal', async () => {
  const made: object[] = []
  for await (const each of cast(frames())) made.push(each)
  expect(made).toEqual([
    { version: 2, width: 100, height: 30, timestamp: 1, title: 'sallyport' },
    [1, 'o', '€\u001b[m'],
    [1, 'i', 'ls\r'],
    [1, 'o', 'oops\r\n'],
    [2, 'r', '90x20'],
  ])
})

it('prints a transcript without terminal controls, stderr and input marked', async () => {
  const texts: string[] = []
  for await (const each of transcribe(frames())) texts.push(each.text)
  expect(texts.join('\n')).not.toContain('\u001b')
  expect(texts).toContain('stderr: oops\n')
  expect(texts).toContain('input: ls\u00b7')
})
