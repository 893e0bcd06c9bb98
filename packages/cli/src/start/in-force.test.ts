import type { Identity, Target } from '@sallyport/core'
import { expect, it } from 'vitest'
import { checkedDefinitions } from '../configuration/load.js'
import { inForce } from './in-force.js'

const definitions = (providers: boolean, identities: readonly object[]) =>
  inForce(
    1,
    checkedDefinitions(
      {
        // Somebody stays in each group, for a grant to a group of nobody is refused.
        identities: [{ name: 'other', kind: 'agent', groups: ['agents', 'dba'] }, ...identities],
        targets: [{ name: 'shop', protocol: 'postgres', address: 'h:1', credential: { username: 'u', password: { env: 'P' } } }],
        grants: [{ groups: ['agents', 'dba'], targets: ['shop'] }],
      },
      { providers, operators: { groups: [], endSessions: [] } },
    ),
    { providers, credentialFor: async () => ({ kind: 'none' }) },
  )

const robot: Identity = { id: 'robot', name: 'robot', kind: 'agent', groups: ['agents'] }
const mia: Identity = { id: 'corp:u-666', name: 'mia', kind: 'person', groups: ['agents'] }
const shop = (current: ReturnType<typeof definitions>): Target => current.targets[0]

it('an identity that is taken out of the definitions reaches nothing more, with providers as without', () => {
  for (const providers of [true, false]) {
    const before = definitions(providers, [{ name: 'robot', kind: 'agent', groups: ['agents'] }])
    expect(before.granted(robot, shop(before))).toBe(true)
    const after = definitions(providers, [])
    expect(after.current(robot)).toBeUndefined()
    expect(after.granted(robot, shop(after))).toBe(false)
  }
})

it('somebody of a provider stays who they are, and is nobody where the definitions take the name', () => {
  const open = definitions(true, [])
  expect(open.current(mia)).toEqual(mia)
  expect(open.granted(mia, shop(open))).toBe(true)
  const taken = definitions(true, [{ name: 'mia', kind: 'person', groups: ['dba'] }])
  expect(taken.current(mia)).toBeUndefined()
  expect(taken.granted(mia, shop(taken))).toBe(false)
})

it("an agent's token of a provider has the groups that the definitions give now", () => {
  const acting: Identity = { id: 'corp:robot', name: 'robot', kind: 'agent', groups: ['old'], onBehalfOf: 'mia' }
  const now = definitions(true, [{ name: 'robot', kind: 'agent', groups: ['agents'] }])
  expect(now.current(acting)).toEqual({ ...acting, groups: ['agents'] })
})
