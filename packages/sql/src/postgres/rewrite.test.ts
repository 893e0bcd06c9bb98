// What masking makes of a text; that nothing leaks on real servers is shown in e2e/masking.

import { readFileSync } from 'node:fs'
import { strictest } from '@sallyport/core'
import type { Mask, Transform } from '@sallyport/core'
import { beforeAll, describe, expect, it } from 'vitest'
import { indexCatalog } from './catalog-index.js'
import { parsePostgresCatalog } from './catalog.js'
import { loadParser, parseText } from './parser.js'
import { openLibrary } from './reading.js'
import { maskText } from './rewrite.js'

const catalog = parsePostgresCatalog(readFileSync(new URL('./corpus/catalog.json', import.meta.url), 'utf8'))
const library = openLibrary(indexCatalog(catalog), catalog.user)
const names = { schemas: ['public'], trustedFunctions: [] }

const mask = (column: string, transform: Transform): Mask => ({ column, with: transform, rule: 'r' })
const ssn = [mask('*.users.ssn', 'redact')]
const oid = (name: string): number => catalog.relations.find((one) => one.schema === 'public' && one.name === name)?.oid ?? 0

beforeAll(() => loadParser())

describe('maskText', () => {
  it('puts a sub-select of the same name in the place of the table', () => {
    const made = maskText(library, 'select users.ssn from users where public.users.id = 1', names, ssn, 's')
    expect(made).toMatchObject({ kind: 'rewritten', forbiddenOrigins: [`${oid('users')}.4`] })
    if (made.kind !== 'rewritten') return
    expect(made.text).toMatch(
      /^SELECT users\.ssn FROM \( SELECT id, name, email, CAST\(CASE WHEN ssn IS NULL THEN NULL ELSE '\[redacted\]' END AS pg_catalog\.text\) AS ssn, .* FROM public\.users \) AS users WHERE users\.id = 1$/,
    )
  })

  it('leaves statements that need nothing as they were written', () => {
    const made = maskText(library, 'SELECT  1 -- one\n; SELECT ssn FROM users', names, ssn, 's')
    expect(made.kind === 'rewritten' && made.text).toMatch(/^SELECT {2}1 -- one\n\n;\nSELECT ssn FROM \( /)
    expect(maskText(library, 'SELECT  1', names, ssn, 's')).toEqual({ kind: 'unchanged', forbiddenOrigins: [] })
  })

  it('names the masked columns of a table that is only written', () => {
    const made = maskText(library, "update users set name = 'x' where id = 1", names, ssn, 's')
    expect(made).toEqual({ kind: 'unchanged', forbiddenOrigins: [`${oid('users')}.4`] })
  })

  it('takes the strictest where masks disagree', () => {
    const both = [mask('*.ssn', 'partial'), mask('*.users.ssn', 'null')]
    const made = maskText(library, 'select ssn from users', names, both, 's')
    expect(made.kind === 'rewritten' && made.text).toContain('CAST(COALESCE(NULL) AS pg_catalog.text) AS ssn')
    expect((['partial', 'hash', 'token', 'redact'] as const).map((one) => strictest(one, 'null'))).toEqual(Array(4).fill('null'))
  })

  it('quotes a salt, and does not show it in a plan', () => {
    const token = [mask('*.users.ssn', 'token')]
    const made = maskText(library, 'select ssn from users', names, token, "it's")
    expect(made.kind === 'rewritten' && made.text).toContain("'it''s'")
    const plan = maskText(library, 'explain verbose select ssn from users', names, token, 'pepper')
    expect(plan.kind === 'rewritten' && plan.text).not.toContain('pepper')
  })

  it('denies a name that more than one table has', () => {
    const twice = openLibrary(
      indexCatalog({
        ...catalog,
        relations: [...catalog.relations, { oid: 99, schema: 'other', name: 'users', kind: 'r', columns: [], definition: null }],
      }),
      '',
    )
    const made = maskText(twice, 'select ssn from users', { ...names, schemas: ['public', 'other'] }, ssn, 's')
    expect(made).toEqual({ kind: 'untraceable', reason: 'more than one table is named users; name its schema' })
  })

  it('denies what does not parse, and what calls a function nobody vouches for', () => {
    expect(maskText(library, 'selec', names, ssn, 's').kind).toBe('untraceable')
    expect(maskText(library, 'select peek()', names, ssn, 's').kind).toBe('untraceable')
  })

  it('keeps every rewriting parsable', () => {
    for (const transform of ['null', 'redact', 'partial', 'hash', 'token'] as const) {
      const made = maskText(library, 'select * from users', names, [mask('public.users.*', transform)], 's')
      expect(made.kind === 'rewritten' && parseText(made.text)?.length).toBe(1)
    }
  })
})
