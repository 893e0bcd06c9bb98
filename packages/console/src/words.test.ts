import { describe, expect, it } from 'vitest'
import type { Effect } from './shapes.js'
import { askedOf, effectInWords, effectsInWords, elapsed, sizeInWords, span, timeLeft, tookInWords } from './words.js'

describe('effects in words', () => {
  const cases: readonly (readonly [Effect, string])[] = [
    [
      { access: 'read', verb: 'select', object: 'public.customers', columns: ['public.customers.name', 'public.customers.email'] },
      'reads public.customers (name, email)',
    ],
    [{ access: 'read', verb: 'call', object: 'pg_catalog.now' }, 'calls pg_catalog.now'],
    [{ access: 'write', verb: 'delete', object: 'public.carts', bounded: false }, 'deletes every row from public.carts'],
    [{ access: 'write', verb: 'delete', object: 'public.carts', bounded: true }, 'deletes rows from public.carts'],
    [
      { access: 'write', verb: 'update', object: 'public.o', columns: ['public.o.total'], bounded: false },
      'changes every row of public.o (total)',
    ],
    [{ access: 'write', verb: 'truncate', object: 'public.o' }, 'empties public.o'],
    [{ access: 'write', verb: 'setval', object: 'public.s' }, 'writes (setval) public.s'],
    [{ access: 'schema', verb: 'drop', object: 'public.o' }, 'changes the schema: drop public.o'],
    [{ access: 'admin', verb: 'set', object: '' }, 'administers the server: set'],
    [
      { access: 'unknown', verb: 'call', object: 'public.f' },
      'not understood: call public.f. It may do anything the target allows',
    ],
    [{ access: 'read', verb: 'run', object: '/bin/ls', program: 'ls', args: [] }, 'runs /bin/ls'],
    [
      { access: 'unknown', verb: 'run', object: 'bash', program: 'bash', args: ['x'], opaque: true },
      'runs bash, and through it something that is not known before it runs',
    ],
    [
      { access: 'unknown', verb: 'run', object: '\ufffd', program: '\ufffd', opaque: true },
      'runs something that is not known before it runs',
    ],
    [{ access: 'read', verb: 'read', object: '~/logs/\ufffd', file: '~/logs/\ufffd' }, 'reads ~/logs/…'],
    [{ access: 'admin', verb: 'forward', object: 'db:5432' }, 'opens a way to db:5432'],
    [
      { access: 'write', verb: 'post', object: '/refunds', request: { method: 'POST', path: '/refunds', operations: ['refund'] } },
      'writes by POST /refunds (refund)',
    ],
    [
      {
        access: 'write',
        verb: 'call-tool',
        object: '/mcp',
        request: { method: 'POST', path: '/mcp', operations: [], tools: ['send'] },
      },
      'writes by POST /mcp, calling send',
    ],
  ]
  it.each(cases)('%j', (effect, words) => {
    expect(effectInWords(effect)).toBe(words)
  })

  it('says each once, the grave ones first', () => {
    const read: Effect = { access: 'read', verb: 'select', object: 'a.b' }
    const gone: Effect = { access: 'schema', verb: 'drop', object: 'a.b' }
    expect(effectsInWords([read, read, gone])).toEqual([
      { text: 'changes the schema: drop a.b', grave: true },
      { text: 'reads a.b', grave: false },
    ])
  })
})

describe('who is asked, and for how long', () => {
  it.each([
    [{ groups: ['dba'], names: [], count: 1 }, '1 person of dba'],
    [{ groups: ['dba', 'ops'], names: ['ann'], count: 2 }, '2 people of dba or ops or named ann'],
  ])('%j', (reviewers, words) => {
    expect(askedOf({ rule: 'r', reason: '', reviewers })).toBe(words)
  })

  it.each([
    [0, 'time is up'],
    [-5000, 'time is up'],
    [1, '1 s left'],
    [61_000, '1 min 1 s left'],
    [900_000, '15 min left'],
    [7_260_000, '2 h 1 min left'],
  ])('%i ms: %s', (left, words) => {
    expect(timeLeft(10_000_000 + left, 10_000_000)).toBe(words)
  })
})

describe('how much', () => {
  it('reads well', () => {
    expect([0, 999, 1000, 123_456, 5e9].map(sizeInWords)).toEqual(['0 bytes', '999 bytes', '1.0 kB', '123 kB', '5.0 GB'])
    expect([0.04, 12.3, 60_000].map(tookInWords)).toEqual(['0.0 ms', '12 ms', '1 min 0 s'])
    expect([0, 3_723_004].map(elapsed)).toEqual(['00:00.000', '1:02:03.004'])
    expect(span(400_000)).toBe('4 days')
  })
})
