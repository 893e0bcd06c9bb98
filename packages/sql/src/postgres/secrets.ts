// Credentials written into a text must not be seen by those who review or replay it.

import { scanSync } from 'libpg-query'

const covered = `'[secret]'`

/** Covers every string literal of a statement that parses. */
export function coverLiterals(statement: string): string {
  const bytes = Buffer.from(statement)
  const parts: Buffer[] = []
  let from = 0
  for (const token of scanSync(statement).tokens) {
    // The scanner has no name for U&'', B'' and X''; whatever has a quote in it is covered.
    if (token.tokenName !== 'SCONST' && !token.text.includes("'")) continue
    parts.push(bytes.subarray(from, token.start), Buffer.from(covered))
    from = token.end
  }
  return Buffer.concat([...parts, bytes.subarray(from)]).toString()
}
