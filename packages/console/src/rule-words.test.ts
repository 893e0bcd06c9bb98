import { expect, it } from 'vitest'
import { linesOf } from './rule-words.js'

it('says each thing of a rule in a line', () => {
  const rule = {
    name: 'r',
    then: 'review',
    who: { kind: ['agent'] },
    where: { labels: { env: ['prod', 'eu'] } },
    what: { bounded: false },
    within: '15m',
    hint: undefined,
  }
  expect(linesOf(rule, ['name', 'then'])).toEqual([
    { name: 'who.kind', value: 'agent' },
    { name: 'where.labels.env', value: 'prod, eu' },
    { name: 'what.bounded', value: 'false' },
    { name: 'within', value: '15m' },
  ])
})
