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

describe('programs that the operator vouches for', () => {
  const trusted = ['app-*', 'python3', 'sh', '/opt/app/bin/status']
  const opaque = (line: string): boolean => !understandCommand(line, trusted).understood
  it('read what they are given and no more', () => {
    expect(understandCommand('app-status /etc/x', trusted).effects).toEqual([
      { access: 'read', verb: 'run', object: 'app-status', program: 'app-status', args: ['/etc/x'] },
      { access: 'read', verb: 'use', object: '/etc/x', file: '/etc/x' },
      { access: 'read', verb: 'use', object: '/etc/x/\ufffd', file: '/etc/x/\ufffd' },
    ])
    for (const line of ['/usr/bin/app-status', '/opt/app/bin/status', 'python3 x.py', 'sudo app-status'])
      expect([line, opaque(line)]).toEqual([line, false])
  })
  it('are those and no others', () => {
    for (const line of [
      './app-status',
      '/tmp/app-status',
      '/opt/app/bin/../bin/status',
      '/opt/app/bin/other',
      'bin/status',
      'PATH=. app-status',
      'app-$x',
      'perl x',
    ])
      expect([line, opaque(line)]).toEqual([line, true])
  })
  it('a shell is read as ever', () => {
    expect(understandCommand("sh -c 'rm x'", trusted).effects).toContainEqual(expect.objectContaining({ program: 'rm' }))
    expect(opaque('sh x')).toBe(true)
  })
})

describe('the evasion corpus', () => {
  it('has not shrunk', () => expect(evasions.length).toBeGreaterThanOrEqual(300))

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
