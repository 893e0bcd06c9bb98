import { expect, it } from 'vitest'
import type { Target } from '@sallyport/core'
import type { Request } from './message.js'
import { trailersOf } from './trailers.js'

const target = { http: { secretNames: ['x-own-secret'] } } as unknown as Target
const shown = { user: '', token: 'sp_0123456789abcdefghij', carriers: ['authorization'] }
const kept = (...rawTrailers: readonly string[]): readonly (readonly string[])[] =>
  trailersOf({ rawTrailers } as unknown as Request, target, shown)

it('go on where they cannot stand for a header of the request', () => {
  expect(kept('X-Sum', '7', 'Digest', 'd', 'Server-Timing', 't')).toEqual([
    ['x-sum', '7'],
    ['digest', 'd'],
    ['server-timing', 't'],
  ])
})

it.each([
  'Host',
  'Content-Length',
  'Content-Type',
  'Content-Encoding',
  'Transfer-Encoding',
  'Connection',
  'Authorization',
  'Proxy-Authorization',
  'Cookie',
  'X-Api-Key',
  'X-Own-Secret',
  'X-HTTP-Method-Override',
  'X-Forwarded-For',
  'Forwarded',
  'Range',
  'If-Match',
  'Expect',
  'TE',
  ':path',
])('%s does not', (name) => expect(kept(name, 'x', 'x-sum', '7')).toEqual([['x-sum', '7']]))

it('nor does the token, nor more than a header block may have', () => {
  expect(kept('x-a', `is ${shown.token}`)).toEqual([])
  expect(kept(...Array.from({ length: 100 }, (_, n) => [`x-${n}`, 'y'.repeat(1_000)]).flat()).length).toBe(16)
})
