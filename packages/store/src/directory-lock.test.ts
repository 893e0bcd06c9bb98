import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Misconfigured } from '@sallyport/core'
import { lockDirectory } from './directory-lock.js'

function fresh(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-lock-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

describe('a locked directory', () => {
  it('is refused to a second taker until it is released', () => {
    const directory = fresh()
    const lock = lockDirectory(directory)
    expect(() => lockDirectory(directory)).toThrow(Misconfigured)
    lock.release()
    lockDirectory(directory).release()
    expect(readdirSync(directory)).toEqual([])
  })

  it.each([
    ['a dead process', (held: Record<string, unknown>) => ({ ...held, pid: 2 ** 22 + 1 })],
    ['a process id that went to another process', (held: Record<string, unknown>) => ({ ...held, started: '1' })],
    ['an earlier boot', (held: Record<string, unknown>) => ({ ...held, where: 'elsewhere' })],
  ])('is taken over from %s', (_, change) => {
    const directory = fresh()
    lockDirectory(directory)
    const path = join(directory, 'lock')
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>)))
    lockDirectory(directory).release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('is taken over where the lock is half a file', () => {
    const directory = fresh()
    writeFileSync(join(directory, 'lock'), '{"pid":')
    const lock = lockDirectory(directory)
    expect(() => lockDirectory(directory)).toThrow(Misconfigured)
    lock.release()
  })

  it('is not released by one who lost it', () => {
    const directory = fresh()
    const first = lockDirectory(directory)
    writeFileSync(join(directory, 'lock'), '')
    const second = lockDirectory(directory)
    first.release()
    expect(() => lockDirectory(directory)).toThrow(Misconfigured)
    second.release()
  })
})
