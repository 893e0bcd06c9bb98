// Where a command reads its surroundings and says its piece: results to stdout, everything else to stderr.

import { once } from 'node:events'

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether a person reads stdout. */
  readonly isTty: boolean
  out(text: string): void
  err(text: string): void
  /** Resolves when who reads stdout has taken enough of it for more to be written. */
  drained(): Promise<void>
}

export function systemTerminal(): Terminal {
  // `sallyport sessions | head -1`: the reader has what it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    env: process.env,
    isTty: process.stdout.isTTY,
    out: (text) => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    err: (text) => void process.stderr.write(text.endsWith('\n') ? text : `${text}\n`),
    drained: async () => {
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
    },
  }
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(JSON.stringify(value, null, 2))
}
