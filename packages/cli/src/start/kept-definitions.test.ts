import type { Identity, Target } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { KeptDefinitions } from './kept-definitions.js'

const target = { protocol: 'postgres', address: 'h:1', credential: { username: 'u', password: { env: 'P' } } }
const written = {
  identities: [{ name: 'bot', kind: 'agent', groups: ['agents'] }],
  targets: [{ ...target, name: 'shop' }],
  grants: [{ groups: ['agents'], targets: ['shop'] }],
  rules: [{ name: 'no-drop', what: { verbs: ['drop'] }, then: 'deny' }],
}
const nothing = { identities: [], targets: [], grants: [], rules: [] }
const bot: Identity = { id: 'bot', name: 'bot', kind: 'agent', groups: ['agents'] }

/** One node; nodes given the same revisions share them, as they share a database. */
function node(revisions: string[] = [], announced: number[] = []) {
  const cuts: number[] = []
  const said: string[] = []
  const kept: KeptDefinitions = new KeptDefinitions({
    table: {
      read: async () => {
        const text = revisions.at(-1)
        return text === undefined ? undefined : { revision: revisions.length, text }
      },
      write: async (text) => revisions.push(text),
    },
    surroundings: { providers: false, operators: { groups: [], endSessions: [] } },
    inForce: { providers: false, credentialFor: async () => ({ kind: 'none' }) },
    log: (level, message) => void said.push(`${level} ${message}`),
    onChange: () => cuts.push(kept.current.revision),
    announce: async (revision) => void announced.push(revision),
  })
  return { kept, revisions, announced, cuts, said }
}

const only = (kept: KeptDefinitions): Target => {
  const [first] = kept.current.targets
  if (first === undefined) throw new Error('there is no target')
  return first
}

describe('definitions that are kept', () => {
  it('come from the file at start, as a revision, and once only', async () => {
    const first = node()
    await first.kept.open(first.kept.current.written)
    expect(first.revisions).toHaveLength(0)
    await first.kept.apply(written, { dryRun: false, by: 'start' })
    const again = node(first.revisions)
    await again.kept.open(first.kept.current.written)
    expect([again.revisions.length, again.kept.current.revision]).toEqual([1, 1])
    expect(again.kept.current.granted(bot, only(again.kept))).toBe(true)
  })

  it('of the database stay in force where the file has none', async () => {
    const other = node([JSON.stringify(written)])
    await other.kept.open({ identities: [], targets: [], grants: [], rules: [] })
    expect(other.kept.current.targets.map(({ name }) => name)).toEqual(['shop'])
  })

  it('are swapped whole: tried first, then kept, put in force, cut by, and told', async () => {
    const { kept, revisions, announced, cuts } = node()
    const dry = await kept.apply(written, { dryRun: true, by: 'x' })
    expect([dry.applied, dry.changes.length, revisions.length, cuts.length]).toEqual([false, 4, 0, 0])
    const before = kept.current
    const done = await kept.apply(written, { dryRun: false, by: 'x' })
    expect([done.applied, done.revision, announced, cuts]).toEqual([true, 1, [1], [1]])
    expect(kept.current).not.toBe(before)
    const same = kept.current
    expect((await kept.apply(written, { dryRun: false, by: 'x' })).applied).toBe(false)
    expect(kept.current).toBe(same)
  })

  it('that are faulty change nothing', async () => {
    const { kept, revisions } = node()
    await kept.apply(written, { dryRun: false, by: 'x' })
    const before = kept.current
    const faulty = { ...written, rules: [{ name: 'a', then: 'deny', who: { groups: ['nobody'] } }] }
    await expect(kept.apply(faulty, { dryRun: false, by: 'x' })).rejects.toThrow(/there is no group nobody/)
    expect([kept.current === before, revisions.length]).toEqual([true, 1])
  })

  it('of another node are taken over; those not understood put nothing in force', async () => {
    const here = node()
    const there = node(here.revisions)
    await here.kept.apply(written, { dryRun: false, by: 'x' })
    await there.kept.reload()
    expect(there.kept.current.granted(bot, only(there.kept))).toBe(true)
    here.revisions.push(JSON.stringify({ ...written, rules: [{ name: 'of a later version', then: 'teleport' }] }))
    await there.kept.reload()
    expect(there.kept.current.targets).toEqual([])
    expect(there.said.join()).toContain('not understood here; nothing is in force')
  })

  it('judge an identity by what it is now, not by what it was at login', async () => {
    const { kept } = node()
    await kept.apply(written, { dryRun: false, by: 'x' })
    const shop = only(kept)
    const moved = {
      ...written,
      identities: [
        { name: 'bot', kind: 'agent', groups: [] },
        { name: 'b2', kind: 'agent', groups: ['agents'] },
      ],
    }
    await kept.apply(moved, { dryRun: false, by: 'x' })
    expect(kept.current.granted(bot, shop)).toBe(false)
    await kept.apply(nothing, { dryRun: false, by: 'x' })
    expect(kept.current.granted(bot, shop)).toBe(false)
  })
})
