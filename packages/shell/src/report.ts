// What is said of every program that is started, and of files given to one that nobody knows.

import { fileCandidates } from './paths.js'
import { plainOptions } from './options.js'
import type { Access } from '@sallyport/core'
import type { Findings } from './findings.js'
import type { Invocation, Place } from './place.js'

export function report(found: Findings, { written, args }: Invocation, name: string, access: Access, opaque = false): void {
  found.program({ access, written, name, args, options: plainOptions(args), opaque })
}

/** A program that nobody knows could do anything to a file it is given. */
export function anyFile(args: readonly string[], found: Findings, place: Place): void {
  for (const arg of args) for (const path of fileCandidates(arg)) found.file('unknown', 'use', path, place.directories, true)
}
