// The text of an exec to what it would do. Never throws; what cannot be told is an effect of its own, `unknown`.

import { Remembered } from '@sallyport/core'
import type { Effect } from '@sallyport/core'
import { Findings } from './findings.js'
import type { SqlText } from './findings.js'
import { invoke } from './invoke.js'
import { readScript } from './script.js'
import { transferOf } from './transfers.js'
import type { Transfer } from './transfers.js'

export type { SqlText } from './findings.js'
export type { Transfer } from './transfers.js'

export interface CommandUnderstanding {
  /** The same array for the same text. */
  readonly effects: readonly Effect[]
  /** false: something could run that cannot be told. */
  readonly understood: boolean
  /** SQL that the command would send, to be understood by who knows SQL. */
  readonly sql: readonly SqlText[]
  /** The command is the far end of a file transfer: bulk data, not something to read. */
  readonly transfer: Transfer | undefined
}

/** MAX_ARG_STRLEN of Linux: sshd hands the command to the shell as one argument, which cannot be longer. */
const maxTextCharacters = 131_072
/** Nested substitutions are read again for each level; a thousand of them are no command a person or an agent writes. */
const maxSubstitutions = 1_000

const remembered = { entries: 2_000, weight: 8_000_000 }

/** Understands command lines and remembers what it understood, by text and by what is vouched for. */
export function createCommandReader(): { understand(text: string, trusted: readonly string[]): CommandUnderstanding } {
  const known = new Remembered<string, CommandUnderstanding>(remembered)
  return {
    understand: (text, trusted) => {
      const key = `${JSON.stringify(trusted)} ${text}`
      const before = known.get(key)
      if (before !== undefined) return before
      const understanding = understandCommand(text, trusted)
      known.set(key, understanding, key.length + understanding.effects.length * 200)
      return understanding
    },
  }
}

/** `trusted`: programs that the operator vouches for. */
export function understandCommand(text: string, trusted: readonly string[] = []): CommandUnderstanding {
  const found = new Findings()
  if (
    text.length > maxTextCharacters ||
    (text.match(/[$<>=]\(|`|\$\{|\$\[/g)?.length ?? 0) > maxSubstitutions ||
    text.includes('\0')
  )
    found.unknown()
  else {
    try {
      readScript(text, found, { directories: ['~'], depth: 0, trusted, readScript, invoke })
    } catch (error) {
      // Too deep for our own stack; anything else is a bug and goes on as one.
      if (!(error instanceof RangeError)) throw error
      found.unknown()
    }
  }
  return { effects: found.effects(), understood: found.understood, sql: found.sql, transfer: transferOf(text) }
}
