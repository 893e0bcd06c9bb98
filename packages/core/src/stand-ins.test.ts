import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { holdsStandIn } from './stand-ins.js'

it('knows a token by its shape, wherever it stands', () => {
  const token = `tok_${createHash('sha256').update('s').update('x').digest('hex').slice(0, 16)}`
  expect([token, `a ${token} b`, `a${token}`, 'tok_0123456789abcdefg'].map(holdsStandIn)).toEqual([true, true, true, true])
  expect(['tok_12', 'tok_0123456789abcdef0', 'x'].map(holdsStandIn)).toEqual([false, false, false])
})
