import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Fields, Request } from './message.js'
import { readAhead, tooMuchLeft } from './request-body.js'

const chunked: Fields = [['transfer-encoding', 'chunked']]

function request(chunks: readonly string[], ends = true): Request {
  const stream = new PassThrough()
  for (const chunk of chunks) stream.write(chunk)
  if (ends) stream.end()
  return stream as unknown as Request
}

describe('a body read ahead', () => {
  it('whole where it is short enough', async () => {
    let asked = 0
    const { seen, early } = await readAhead(request(['ab', 'c']), chunked, 10, () => (asked += 1))
    expect([String(seen), Buffer.concat(early).toString(), asked]).toEqual(['abc', 'abc', 1])
  })

  it('unseen where it turns out longer, and nothing of it is lost', async () => {
    const { seen, early } = await readAhead(request(['ab', 'cdefgh', 'ij']), chunked, 4, () => {})
    expect(seen).toBe('unseen')
    expect('abcdefghij'.startsWith(Buffer.concat(early).toString())).toBe(true)
  })

  it('not at all where its length says so, or there is none', async () => {
    const never = (): void => {
      throw new Error('asked for a body')
    }
    expect((await readAhead(request([]), [['content-length', '11']], 10, never)).seen).toBe('unseen')
    expect((await readAhead(request([]), [['content-length', '0']], 10, never)).seen).toBe('absent')
    expect((await readAhead(request([]), [], 10, never)).seen).toBe('absent')
    expect((await readAhead(request([]), chunked, 0, never)).seen).toBe('unseen')
  })

  it('refused where its caller goes away in the middle', async () => {
    const broken = request(['ab'], false)
    const reading = readAhead(broken, chunked, 10, () => {})
    broken.destroy()
    await expect(reading).rejects.toThrow(/went away/)
  })
})

it.each([
  [[['content-length', '300000']], false, true],
  [[['content-length', '300000']], true, false],
  [[['content-length', '10']], false, false],
  [chunked, false, true],
  [[], false, false],
] as const)('%j, complete %s: cut off rather than read: %s', (fields, complete, cut) => {
  expect(tooMuchLeft({ complete } as unknown as Request, fields as Fields)).toBe(cut)
})
