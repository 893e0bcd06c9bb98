// The demo on a bare machine: the whole tour through real sockets, with nothing left behind.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checkout, run } from '../backends/programs.js'

it('`demo --once` plays its tour and ends', { timeout: 120_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-e2e-demo-'))
  const scratches = (): readonly string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('sallyport-sample-host-'))
  const before = scratches()
  try {
    const command = [join(checkout, 'packages/cli/bin/sallyport.js'), 'demo', '--once']
    const { code, stdout, stderr } = await run(process.execPath, command, { env: { SALLYPORT_HOME: home }, withinMs: 100_000 })
    expect({ code, stderr: stderr.replace(/^stopping$/m, '').trim() }).toEqual({ code: 0, stderr: '' })
    for (const shown of [
      'Ada Brook      [redacted]',
      'denied by rule agents-change-no-schema',
      'DELETE 12',
      'denied by rule no-trees',
      'denied by rule no-terminals',
      'slow request: /checkout',
      'whole: ',
    ])
      expect(stdout).toContain(shown)
    expect(scratches()).toEqual(before)
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
})
