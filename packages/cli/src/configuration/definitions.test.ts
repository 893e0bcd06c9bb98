import { describe, expect, it } from 'vitest'
import { changesBetween, targetsOf } from './definitions.js'
import { checkedDefinitions } from './load.js'

const surroundings = { providers: false, operators: { groups: [], endSessions: [] } }
const written = {
  identities: [{ name: 'bot', kind: 'agent', groups: ['agents'] }],
  targets: [
    {
      name: 'shop',
      protocol: 'postgres',
      address: 'h:1',
      credential: { username: 'u', password: { env: 'P' } },
      labels: { b: '1', a: '2' },
    },
  ],
  grants: [{ groups: ['agents'], targets: ['shop'] }],
  rules: [{ name: 'no', then: 'deny' }],
}

describe('definitions', () => {
  it('are the same after a way through the store', () => {
    const once = checkedDefinitions(written, surroundings)
    const again = checkedDefinitions(JSON.parse(JSON.stringify(once)), surroundings)
    expect(changesBetween(once, again)).toEqual([])
  })

  it('name what changed, whatever the order', () => {
    const before = checkedDefinitions(written, surroundings)
    const after = checkedDefinitions(
      {
        ...written,
        targets: [{ ...written.targets[0], labels: { a: '2', b: '1' }, tls: 'require' }],
        grants: [{ names: ['bot'], targets: ['shop'] }],
        rules: [{ name: 'other', then: 'deny' }],
      },
      surroundings,
    )
    expect(changesBetween(before, after)).toEqual([
      { kind: 'change', what: 'target', name: 'shop', fields: [{ path: 'tls', before: 'verify', after: 'require' }] },
      { kind: 'add', what: 'grant', name: 'names: bot; targets: shop', fields: [] },
      { kind: 'remove', what: 'grant', name: 'groups: agents; targets: shop', fields: [] },
      { kind: 'add', what: 'rule', name: 'other', fields: [] },
      { kind: 'remove', what: 'rule', name: 'no', fields: [] },
    ])
  })

  it('refuse what is wrong, naming each place', () => {
    const wrong = { ...written, grants: [{ groups: ['agent'], targets: ['shop', 'stop'] }], rules: [] }
    expect(() => checkedDefinitions(wrong, surroundings)).toThrow(
      /grants\.0\.groups\.0: there is no group agent; .*\ngrants\.0\.targets\.1: there is no target stop/,
    )
    expect(() => checkedDefinitions({ ...written, targets: 5 }, surroundings)).toThrow(/^targets: /)
  })

  it('give targets without their credentials', () => {
    expect(JSON.stringify(targetsOf(checkedDefinitions(written, surroundings)))).not.toContain('credential')
  })
})
