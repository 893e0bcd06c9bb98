import { describe, expect, it } from 'vitest'
import type { Effect } from '@sallyport/core'
import { evasions } from './evasions.fixture.js'
import { understandCommand } from './index.js'

const wholly = (effect: Effect): boolean => effect.opaque === true

function isSeen(token: string, effects: readonly Effect[], sql: readonly string[]): boolean {
  if (token === '?') return effects.some(wholly)
  if (token.startsWith('sql:')) return sql.includes(token.slice(4))
  if (token.startsWith('!')) return !effects.some((effect) => effect.program === token.slice(1))
  const file = /^([rwdu]):(.*)$/.exec(token)
  if (file === null) return effects.some((effect) => effect.program === token)
  const [, kind, path] = file
  const access = kind === 'r' ? 'read' : kind === 'u' ? 'unknown' : 'write'
  return effects.some((effect) => effect.file === path && effect.access === access && (kind !== 'd' || effect.verb === 'delete'))
}

describe('the evasion corpus', () => {
  it.each(evasions)('%j is seen as %s', (line, seen) => {
    const { effects, understood, sql } = understandCommand(line)
    const [plain = '', text] = seen.split('sql:')
    const tokens = [...plain.split(' '), ...(text === undefined ? [] : [`sql:${text}`])]
    const texts = sql.map((each) => each.text)
    for (const token of tokens.filter((each) => each !== ''))
      expect({ token, seen: isSeen(token, effects, texts), effects }).toMatchObject({ seen: true })
    expect(understood).toBe(!tokens.includes('?'))
  })
})
