// A target's names in a file: what `sallyport targets schema` prints and `policy test --schema` reads.

import { readFileSync } from 'node:fs'
import { Misconfigured } from '@sallyport/core'
import { z } from 'zod'
import { reasonOf } from '../configuration/text.js'

const schemaFile = z.strictObject({
  target: z.string().min(1),
  protocol: z.string().min(1),
  at: z.string(),
  /** As the protocol wrote it. */
  catalogue: z.unknown(),
})

export type SchemaFile = z.output<typeof schemaFile>

/** Throws Misconfigured. */
export function readSchemaFile(file: string): SchemaFile {
  try {
    return schemaFile.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    const what =
      cause instanceof SyntaxError || cause instanceof z.ZodError
        ? 'is no schema of a target'
        : `cannot be read: ${reasonOf(cause)}`
    throw new Misconfigured('bad-schema', `${file} ${what}; print one with \`sallyport targets schema TARGET\``, { cause })
  }
}
