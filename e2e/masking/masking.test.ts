// Every statement that could show a masked value, masked and then run on real servers with secrets planted: nothing of them may come out,
// in rows, column names, COPY data, notices, plans or errors.

import type { Mask } from '@sallyport/core'
import { openSqlReader, parsePostgresCatalog, postgresCatalogQuery } from '@sallyport/sql'
import type { Rewriting } from '@sallyport/sql'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { makeDatabase, onServer } from '../backends/postgres.js'
import type { PostgresFacts } from '../backends/postgres.js'

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')

interface Case {
  readonly expected: string
  readonly text: string
  readonly next: string
}

function cases(): Case[] {
  let expected = ''
  return read('./statements.txt')
    .split('\n')
    .flatMap((line) => {
      if (line.startsWith('==')) expected = /^== (\w+)/.exec(line)?.[1] ?? ''
      if (line === '' || line.startsWith('==') || line.startsWith('# ')) return []
      const [text = '', next = ''] = line.split(' ;; ')
      return [{ expected, text: text.replaceAll('\\n', '\n'), next }]
    })
}

const masks: readonly Mask[] = (
  [
    ['public.users.ssn', 'redact'],
    ['*.users.email', 'partial'],
    ['public.users.pin', 'null'],
    ['*.users.doc', 'redact'],
    ['*.users.code', 'redact'],
    ['*.people.ssn', 'token'],
    ['*.ev.secret', 'hash'],
    ['*.contacts.mail', 'hash'],
    ['*.contacts.feel', 'redact'],
    ['*.gen.ssn', 'token'],
    ['*.S"sn', 'partial'],
    ["*.it's", 'partial'],
  ] as const
).map(([column, transform]) => ({ column, with: transform, rule: 'personal-data' }))

const planted = [
  '111-22-3333',
  '222-33-4444',
  '333-44-5555',
  '777-88-9999',
  '9911',
  '9922',
  'evsecret77',
  'zed@hidden',
  'odd-ssn-4',
  'ann@example.com',
  'bob@example.com',
  '4000111122223333',
  '5000111122224444',
  'ZX81QQ',
  'KP77WW',
  'oddly',
]
const secrets = planted.flatMap((secret) => [
  secret,
  Array.from(secret).toReversed().join(''),
  Buffer.from(secret).toString('hex'),
  Buffer.from(secret).toString('base64').replaceAll('=', ''),
  secret.toUpperCase(),
])

/** What psql shows of each text, run in a transaction of its own that is rolled back: rows, names, notices, errors. */
function shown(facts: PostgresFacts, texts: readonly string[]): string[] {
  const server = ['-h', facts.host, '-p', String(facts.port), '-U', 'postgres', '-d', 'masking']
  const each = texts.map((text) => `\\echo @@@\n\\warn @@@\nBEGIN;\n${text}\n;\nROLLBACK;\n`)
  const input = `\\set VERBOSITY verbose\n${each.join('')}`
  const env = { ...process.env, PGOPTIONS: '-c client_min_messages=debug1' }
  const run = spawnSync('psql', ['-X', '-q', '-A', ...server], { input, env, maxBuffer: 256 * 1024 * 1024 })
  if (run.error !== undefined) throw run.error
  const [out, err] = [run.stdout, run.stderr].map((stream) => stream.toString('latin1').split('@@@\n').slice(1))
  expect([out?.length, err?.length]).toEqual([texts.length, texts.length])
  return texts.map((_, at) => `${out?.[at] ?? ''}${err?.[at] ?? ''}`)
}

function told(output: string): string[] {
  return secrets.filter((secret) => output.includes(secret))
}

describe.each(inject('postgres').map((facts) => [facts.major, facts] as const))('PostgreSQL %i', (_major, facts) => {
  const context = { catalog: 'masking', schemas: ['public'], trustedFunctions: ['public.total_*'] }
  const all = cases()
  let rewritings: Rewriting[] = []
  let outputs: string[] = []

  beforeAll(async () => {
    await makeDatabase(facts, 'masking', read('./schema.sql'))
    const sql = openSqlReader({ workers: 1 })
    const [row] = await onServer(facts, 'masking', postgresCatalogQuery)
    sql.registerCatalog('masking', parsePostgresCatalog(String(row?.['catalog'])))
    rewritings = await Promise.all(all.map(async ({ text }) => sql.mask(text, context, masks, 'pepper')))
    await sql.stop()
    const sent = rewritings.map((rewriting, at) => {
      const { text, next } = all[at] as Case
      return rewriting.kind === 'untraceable' ? '' : `${rewriting.kind === 'rewritten' ? rewriting.text : text}\n;\n${next}`
    })
    outputs = shown(facts, sent)
  })

  test.each(all.map((one, at) => [one.expected, one.text, at] as const))('%s: %s', (expected, _text, at) => {
    expect(rewritings[at]?.kind, JSON.stringify(rewritings[at])).toBe(expected)
    expect(told(outputs[at] ?? '')).toEqual([])
  })

  test('masked statements run', () => {
    const failed = outputs.filter((output) => /ERROR: /.test(output))
    expect(failed.length, failed.join('\n')).toBeLessThan(26)
  })

  test('the secrets are there to be told', () => {
    const asTheyStand = all.filter(({ text }) => !text.includes('FROM STDIN')).map(({ text, next }) => `${text}\n;\n${next}`)
    const telling = shown(facts, asTheyStand).filter((output) => told(output).length > 0)
    expect(telling.length).toBeGreaterThan(150)
  })
})
