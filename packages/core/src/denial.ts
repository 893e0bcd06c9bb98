// How a denial reads, in words that a person or a model can act on. Each protocol puts them into its own error message.

import type { Denial } from './ruling.js'

export interface DenialWords {
  readonly message: string
  /** Which session and statement, to find it in the record. */
  readonly detail: string
  readonly hint: string
}

const hints: Readonly<Record<Denial['cause'], string>> = {
  rule: 'The connection goes on; ask whoever writes the rules if this should be allowed.',
  default: 'This target denies what no rule allows; ask for a rule that allows it.',
  'not-understood':
    'Write it plainly, so that what it does can be told before it runs; for SQL, ask for the function to be vouched for under trust.functions.',
  'not-maskable': 'Leave the masked columns out, or select them plainly.',
  'review-denied': 'A reviewer said no; talk to them before trying again.',
  'review-expired': 'Nobody answered in time; run it again to ask again.',
  'review-withdrawn': 'You withdrew it; run it again to ask again.',
  'session-ended': 'Connect again if you still may.',
}

export function wordDenial(denial: Denial, session: string, statement: number): DenialWords {
  const message = denial.rule === null ? `denied: ${denial.reason}` : `denied by rule ${denial.rule}: ${denial.reason}`
  return { message, detail: `Session ${session}, statement ${statement}.`, hint: denial.hint ?? hints[denial.cause] }
}
