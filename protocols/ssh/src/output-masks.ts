// What masks mean for the output of commands and shells: values are told by what they look like, in text as it is printed.

import type { Denial, Mask, Salts, Traced } from '@sallyport/core'
import { Masker, Unmaskable } from '@sallyport/masking'
import { ShownText } from './shown-text.js'

/** Whether these masks can be laid over what a program prints. */
export function traceOutput(masks: readonly Mask[]): Traced {
  if (masks.every(({ column }) => column.startsWith('@'))) return { kind: 'traced' }
  return { kind: 'untraceable', reason: 'what a command prints has no columns' }
}

export const traceTransfer = (): Traced => ({ kind: 'untraceable', reason: 'files that are transferred are not looked into' })

/** The output of one command: what is to be shown of it, and why no more of it can be. */
export class OutputMasks {
  readonly out: ShownText
  readonly err: ShownText
  readonly #rule: string

  constructor(masks: readonly Mask[], salts: Salts, terminal: boolean) {
    const masker = new Masker(masks, salts)
    this.out = new ShownText(masker, terminal)
    this.err = new ShownText(masker, terminal)
    this.#rule = masks[0]?.rule ?? ''
  }

  denial(cause: string): Denial {
    return {
      kind: 'deny',
      cause: 'not-maskable',
      rule: this.#rule,
      reason: `what it prints must be masked, and ${cause}`,
      hint: 'It was stopped; what it had done by then is done. Have it print plain text, in lines.',
    }
  }
}

/** Why nothing more can be shown, where that is what was thrown. */
export function unmaskableIn(error: unknown): string {
  if (error instanceof Unmaskable) return error.message
  throw error
}
