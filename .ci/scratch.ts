// One directory for all that a test run leaves behind in the system's temporary directory: made before it, gone after it, however its tests ended.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export default function setup(): () => void {
  const outer = process.env['TMPDIR']
  // Short, as sockets of Unix lie in it, and everyone's as the outer one is: databases run as another user.
  const directory = mkdtempSync(join(tmpdir(), 'sp-'))
  chmodSync(directory, 0o1777)
  process.env['TMPDIR'] = directory
  return () => {
    if (outer === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = outer
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}
