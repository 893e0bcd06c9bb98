// Credentials written into a text must not be seen by those who review or replay it.

import { scanSync } from 'libpg-query'

const covered = `'[secret]'`

/** Tokens of the scanner that are string literals (gram.y: Sconst, UESCAPE strings, bit and hex strings). */
const literals: ReadonlySet<string> = new Set(['SCONST', 'USCONST', 'BCONST', 'XCONST'])

/** Covers every string literal of a statement that parses. */
export function coverLiterals(statement: string): string {
  const bytes = Buffer.from(statement)
  const parts: Buffer[] = []
  let from = 0
  for (const token of scanSync(statement).tokens) {
    if (!literals.has(token.tokenName)) continue
    parts.push(bytes.subarray(from, token.start), Buffer.from(covered))
    from = token.end
  }
  return Buffer.concat([...parts, bytes.subarray(from)]).toString()
}
