// A vitest reporter whose last word is one plain line, alone: `unit: 12 passed, 0 failed` (and `, 3 skipped` where some were).

import type { Reporter, TestModule } from 'vitest/node'

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0
    let failed = errors.length
    let skipped = 0
    const projects = new Set<string>()
    for (const module of modules) {
      projects.add(module.project.name)
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        else if (state === 'failed') failed++
        else skipped++
      }
    }
    const name = projects.size === 1 ? `${[...projects].join('')}: ` : ''
    // After the default reporter's own summary, which is printed in the same turn.
    setImmediate(() => console.log(`${name}${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`))
    if (passed + failed === 0) process.exitCode = 1 // a run that tested nothing proved nothing
  }
}
