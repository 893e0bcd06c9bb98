// The corpora: every text is seen as what it does, and what psql, pg_dump and drivers ask of the catalogue is plain reading.

import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Understanding } from '../understanding.js'
import { indexCatalog } from './catalog-index.js'
import { parsePostgresCatalog } from './catalog.js'
import { loadParser } from './parser.js'
import { openLibrary } from './reading.js'
import { understandText } from './understand.js'

const read = (name: string): string => readFileSync(new URL(`./corpus/${name}`, import.meta.url), 'utf8')
const catalog = parsePostgresCatalog(read('catalog.json'))
const library = openLibrary(indexCatalog(catalog), catalog.user)
const names = { schemas: ['public'], trustedFunctions: ['public.total_*'] }

function described(understanding: Understanding, text: string): string[] {
  const lines = understanding.effects.map(({ access, verb, object, columns, bounded }) => {
    const own = columns?.map((column) => (column.startsWith(`${object}.`) ? column.slice(object.length + 1) : column))
    const parts = [access, verb, object, ...(own === undefined ? [] : [`(${own.join(' ')})`])]
    return [...parts, ...(bounded === undefined ? [] : [bounded ? 'bounded' : 'unbounded'])].join(' ').trimEnd()
  })
  if (lines.length === 0) lines.push('nothing')
  if (understanding.refusal !== undefined) lines.push(`+ refusal ${understanding.refusal}`)
  for (const field of ['executes', 'fetches', 'deallocates', 'addsSchemas'] as const) {
    if (understanding[field].length > 0) lines.push(`+ ${field} ${understanding[field].join(' ')}`)
  }
  for (const field of ['prepares', 'declares'] as const) {
    if (understanding[field].length > 0) lines.push(`+ ${field} ${understanding[field].map((one) => one.name).join(' ')}`)
  }
  for (const field of ['onlyPrepares', 'changesCatalog', 'copiesIn', 'empty'] as const)
    if (understanding[field]) lines.push(`+ ${field}`)
  if (!understanding.understood) lines.push('+ not understood')
  if (understanding.text !== text) lines.push(`+ text ${understanding.text.replaceAll('\n', '\\n')}`)
  return lines
}

/** Blocks of a text and, indented, what it is seen as. */
function evasions(): (readonly [string, readonly string[]])[] {
  const blocks: [string, string[]][] = []
  for (const line of read('evasions.txt').split('\n')) {
    if (line === '' || line.startsWith('==') || line.startsWith('# ')) continue
    if (line.startsWith('    ')) blocks.at(-1)?.[1].push(line.trim())
    else blocks.push([line, []])
  }
  return blocks
}

beforeAll(() => loadParser())

describe('what a text does', () => {
  it.each(evasions())('%s', (line, expected) => {
    const text = line.replaceAll('\\n', '\n').replaceAll('\\t', '\t')
    expect(described(understandText(library, text, names), text)).toEqual(expected)
  })

  it('has enough cases', () => expect(evasions().length).toBeGreaterThan(250))
})

describe('introspection is plain reading', () => {
  const statements = read('introspection.txt').split('\n----\n')

  it.each(statements.map((text, at) => [at, text] as const))('%i', (_at, text) => {
    const { effects, understood, refusal } = understandText(library, text, { ...names, trustedFunctions: [] })
    expect([understood, refusal, effects.filter((effect) => effect.access !== 'read')]).toEqual([true, undefined, []])
  })
})

describe('shadowing', () => {
  it('a function in a schema of the path makes the built-in of its name unknown', () => {
    const { effects } = understandText(library, "select lower('x')", names)
    expect(effects).toEqual([{ access: 'unknown', verb: 'call', object: 'public.lower' }])
    expect(understandText(library, "select lower('x')", { ...names, schemas: ['priv'] }).effects).toEqual([])
  })

  it('a name is every relation it may be', () => {
    const { effects } = understandText(library, 'select 1 from t, users', { ...names, schemas: ['priv', 'public'] })
    expect(effects.map((effect) => effect.object)).toEqual(['priv.t', 'public.users'])
  })
})
