// Whether the record is whole, in order and unaltered.

import type { Verified } from '@sallyport/api'
import { openClient } from '../client/gateway-client.js'
import { printable } from '../output/printable.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

/** Answers 0 where it is whole and 1 where it is not. */
export async function verifyCommand(
  session: string | undefined,
  options: { readonly json?: true },
  terminal: Terminal,
): Promise<number> {
  const verified = await openClient(terminal.env).call<Verified>('POST', '/verify', session === undefined ? {} : { session })
  if (options.json === true) printJson(terminal, verified)
  else if (verified.whole) terminal.out(`whole: ${verified.sessions} session${verified.sessions === 1 ? '' : 's'}`)
  else
    for (const fault of verified.faults)
      terminal.out(printable(`${fault.kind}: ${fault.session === null ? '' : `session ${fault.session}, `}${fault.what}`))
  if (options.json !== true && verified.unpinned.length > 0) {
    terminal.err(
      `${verified.unpinned.length} of the signing keys are vouched for by the database alone (other nodes have their own)`,
    )
  }
  return verified.whole ? 0 : 1
}
