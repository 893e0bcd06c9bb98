// The demo as a newcomer runs it: the tour shows what it promises, through real sockets, and leaves nothing running.

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { checkout, run } from '../backends/programs.js'

const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-demo-'))
// Passable: as root, the sample's database runs as another user.
chmodSync(directory, 0o711)
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))

it('plays its tour once and ends', async () => {
  const [home, scratch] = ['home', 'scratch'].map((name) => join(directory, name)) as [string, string]
  for (const path of [home, scratch]) mkdirSync(path, { mode: 0o711 })
  const entry = join(checkout, 'packages', 'cli', 'bin', 'sallyport.js')
  const shown = await run(entry, ['demo', '--once'], { env: { SALLYPORT_HOME: home, TMPDIR: scratch } })
  expect([shown.code, shown.stderr]).toEqual([0, 'stopping\n'])
  for (const part of [
    'denied by rule agents-change-no-schema',
    'DELETE 12',
    '"email":"a***@example.test"',
    '403 denied by rule customers-are-kept: Customers are kept.',
    '201 {"refunded":true',
    'denied by rule no-trees',
    'denied by rule no-terminals',
    'slow request: /checkout',
    'whole: ',
    'That was the tour.',
  ])
    expect(shown.stdout).toContain(part)
  expect(shown.stdout).not.toContain('ada@example.test')
  expect(readdirSync(scratch)).toEqual([])
})
