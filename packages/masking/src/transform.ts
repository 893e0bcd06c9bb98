// What becomes of a masked value, the same as in SQL: text keeps being text, and what is not text becomes null.

import { createHash } from 'node:crypto'
import type { Transform } from '@sallyport/core'

/** Null: the value becomes JSON's null. */
export function transformed(
  value: string,
  transform: Transform,
  salts: { readonly hash: string; readonly token: string },
): string | null {
  switch (transform) {
    case 'null':
      return null
    case 'redact':
      return '[redacted]'
    case 'partial':
      return partial(value)
    case 'hash':
      return digest(value, salts.hash)
    case 'token':
      return `tok_${digest(value, salts.token)}`
  }
}

function digest(value: string, salt: string): string {
  return createHash('sha256').update(salt).update(value).digest('hex').slice(0, 16)
}

/** E-mail keeps the first letter (where there is more than one before the @) and the domain; all else its last 4 characters, if it is longer. */
function partial(value: string): string {
  const at = value.indexOf('@')
  if (/^[^@\s]+@[A-Za-z0-9.-]+$/.test(value)) return `${at > 1 ? value.slice(0, 1) : ''}***${value.slice(at)}`
  const characters = Array.from(value)
  return characters.map((character, index) => (index >= 4 && index >= characters.length - 4 ? character : '*')).join('')
}
