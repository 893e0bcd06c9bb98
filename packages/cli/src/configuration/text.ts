// The bytes of a configuration file as text, or what is wrong with them.

import { readFileSync, statSync } from 'node:fs'
import { Misconfigured } from '@sallyport/core'
import type { Fault } from './fault.js'

/** A thousand targets with all their keys take about 300 KiB. */
const MAX_FILE_BYTES = 1024 * 1024

export type FileText = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'faulty'; readonly fault: Fault }

/** Throws Misconfigured where there is no file to speak of. */
export function readText(file: string): FileText {
  let bytes: Buffer
  try {
    const { size } = statSync(file)
    if (size > MAX_FILE_BYTES) {
      return {
        kind: 'faulty',
        fault: { line: 1, column: 1, message: 'the file is larger than 1 MiB; split off what is not configuration' },
      }
    }
    bytes = readFileSync(file)
  } catch (error) {
    throw new Misconfigured('configuration-unreadable', `${file}: ${reasonOf(error)}`, { cause: error })
  }
  return decode(bytes)
}

function decode(bytes: Uint8Array): FileText {
  if (bytes.length > MAX_FILE_BYTES) {
    return {
      kind: 'faulty',
      fault: { line: 1, column: 1, message: 'the file is larger than 1 MiB; split off what is not configuration' },
    }
  }
  try {
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    const before = (new TextDecoder('utf-8').decode(bytes).split('\uFFFD')[0] ?? '').split('\n')
    const place = { line: before.length, column: (before.at(-1) ?? '').length + 1 }
    return { kind: 'faulty', fault: { ...place, message: 'this is not UTF-8; save the file as UTF-8' } }
  }
}

/** Why a file could not be read, in words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ENOENT':
      return 'there is no such file; check the path'
    case 'EACCES':
    case 'EPERM':
      return 'this user may not read the file; change its owner or mode'
    case 'EISDIR':
      return 'this is a directory; name a file'
    default:
      return `the file cannot be read (${typeof code === 'string' ? code : String(error)}); check the path`
  }
}
