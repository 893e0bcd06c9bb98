import { expect, it } from 'vitest'
import type { Session, Statement, Target, Verdict } from '@sallyport/core'
import { ToolLists } from './tool-lists.js'

const target = { name: 'tools', protocol: 'http', address: 'http://mcp.test', http: { operations: [] } } as unknown as Target
const denied: Verdict = { kind: 'deny', cause: 'rule', rule: 'no', reason: 'no' }
const session = {
  target,
  foresee: ({ effects }: Statement): Verdict =>
    effects.some((effect) => effect.request?.tools?.[0]?.startsWith('delete')) ? denied : { kind: 'allow', rule: null },
} as unknown as Session

function memory(): {
  readonly kept: Map<string, string>
  digests: () => Promise<Map<string, string>>
  keep: (place: string, digests: ReadonlyMap<string, string>) => Promise<void>
} {
  const kept = new Map<string, string>()
  return {
    kept,
    digests: () => Promise.resolve(new Map(kept)),
    keep: (_place, digests) => {
      for (const [name, digest] of digests) kept.set(name, digest)
      return Promise.resolve()
    },
  }
}

const list = (...tools: readonly object[]): object => ({ jsonrpc: '2.0', id: 1, result: { tools, nextCursor: 'n' } })
const never = (): void => {
  throw new Error('trouble')
}

async function filtered(lists: ToolLists, json: unknown): Promise<{ readonly out: unknown; readonly marks: readonly string[] }> {
  const marks: string[] = []
  await lists.recall(session, '/mcp?x=1', never)
  const out = lists.filter(session, 'POST', '/mcp?x=1', (name, detail) => marks.push(`${name}: ${detail}`), never)(json)
  return { out, marks }
}

it('hides what may not be called, and leaves the rest as it is', async () => {
  const lists = new ToolLists(memory())
  const { out, marks } = await filtered(lists, list({ name: 'find' }, { name: 'delete_all' }))
  expect(out).toEqual(list({ name: 'find' }))
  expect(marks).toEqual(['tools-hidden: delete_all'])
  const same = list({ name: 'find' })
  expect((await filtered(lists, same)).out).toBe(same)
  const batch = [list({ name: 'delete_all' }), { jsonrpc: '2.0', id: 2, result: {} }]
  expect((await filtered(lists, batch)).out).toEqual([list(), batch[1]])
})

it.each([[null], [5], [[]], [{ result: null }], [{ result: { tools: 'x' } }], [{ error: {} }]])('%j is no list', async (json) => {
  expect((await filtered(new ToolLists(memory()), json)).out).toBe(json)
})

it('marks what changed, also what was remembered by another', async () => {
  const shared = memory()
  await filtered(new ToolLists(shared), list({ name: 'find', description: 'a' }))
  const later = new ToolLists(shared)
  expect((await filtered(later, list({ name: 'find', description: 'a' }))).marks).toEqual([])
  expect((await filtered(later, list({ name: 'find', description: 'b' }))).marks[0]).toMatch(
    /^tool-changed: find: .* from sha256 \w{64} to sha256 \w{64}|^tool-changed: find/,
  )
  expect((await filtered(later, list({ name: 'find', description: 'b' }))).marks).toEqual([])
})

it('goes on where nothing can be remembered, and says so', async () => {
  const troubles: string[] = []
  const lists = new ToolLists({ digests: () => Promise.reject(new Error('gone')), keep: () => Promise.reject(new Error('gone')) })
  await lists.recall(session, '/mcp', (reason) => troubles.push(reason))
  const json = list({ name: 'find' })
  expect(
    lists.filter(
      session,
      'POST',
      '/mcp',
      () => {},
      (reason) => troubles.push(reason),
    )(json),
  ).toBe(json)
  await Promise.resolve()
  await new Promise((done) => setImmediate(done))
  expect(troubles).toEqual(['gone', 'Error: gone'])
})
