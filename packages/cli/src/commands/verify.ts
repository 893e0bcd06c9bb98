// Whether the record is whole, in order and unaltered: asked of the gateway, or of a file of evidence, which needs none.

import type { Verified } from '@sallyport/api'
import { Misconfigured } from '@sallyport/core'
import type { ProvedSession } from '@sallyport/recorder'
import { openClient } from '../client/gateway-client.js'
import { printable } from '../output/printable.js'
import { shortTime } from '../output/table.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

export interface VerifyOptions {
  readonly all?: true
  readonly file?: string
  readonly key?: readonly string[]
  readonly session?: readonly string[]
  readonly json?: true
}

/** Answers 0 where it is whole and 1 where it is not. */
export async function verifyCommand(session: string | undefined, options: VerifyOptions, terminal: Terminal): Promise<number> {
  const { file, key = [], session: wanted = [] } = options
  if (file !== undefined && (session !== undefined || options.all === true))
    throw new Misconfigured('misused', 'verify a session of the gateway, or a file with --file, but not both at once')
  if (file === undefined && key.length > 0)
    throw new Misconfigured('misused', '--key goes with --file; the gateway pins the keys of its own home')
  if (file === undefined && wanted.length > 0)
    throw new Misconfigured('misused', '--session goes with --file; of the gateway, verify a session with `sallyport verify ID`')
  if (file !== undefined) return verifyFile(file, { keys: key, wanted, asJson: options.json === true }, terminal)
  const verified = await openClient(terminal.env).call<Verified>('POST', '/verify', session === undefined ? {} : { session })
  if (options.json === true) printJson(terminal, verified)
  else if (verified.whole) terminal.out(`whole: ${verified.sessions} session${verified.sessions === 1 ? '' : 's'}`)
  else for (const fault of verified.faults) terminal.out(printable(faultLine(fault)))
  if (options.json !== true && verified.unpinned.length > 0) {
    terminal.err(
      `${verified.unpinned.length} of the signing keys are vouched for by the database alone (other nodes have their own)`,
    )
  }
  return verified.whole ? 0 : 1
}

interface Asked {
  readonly keys: readonly string[]
  /** Sessions that must be in the file. */
  readonly wanted: readonly string[]
  readonly asJson: boolean
}

async function verifyFile(file: string, { keys, wanted, asJson }: Asked, terminal: Terminal): Promise<number> {
  const { pinsFrom, verifyEvidence } = await import('@sallyport/recorder')
  const { state, sessions, findings, unpinned } = await verifyEvidence(file, pinsFrom(keys), wanted)
  const faults = findings.map(({ session, kind, place, message }) => ({
    session: session ?? null,
    kind,
    what: `${place}: ${message}`,
  }))
  if (asJson) {
    const proved = sessions.map((each) => ({ ...each, findings: undefined }))
    printJson(terminal, { file, whole: state === 'whole', sessions: proved, faults, keys: unpinned })
    return state === 'whole' ? 0 : 1
  }
  for (const each of sessions) if (each.state === 'whole') terminal.out(printable(wholeLine(each)))
  for (const fault of faults) terminal.out(printable(faultLine(fault)))
  for (const { id, node, publicKey } of unpinned)
    terminal.err(
      printable(
        `key ${id} of node ${node} came with the file; whoever made the file could have made it. Compare it, or pin it with --key:\n${publicKey.trim()}`,
      ),
    )
  return state === 'whole' ? 0 : 1
}

function wholeLine({ session, facts, statements, frames, endedAt, signers }: ProvedSession): string {
  const time = (microseconds: number): string => shortTime(new Date(microseconds / 1000))
  // A session that is whole has its first frame.
  if (facts === null) return `whole: session ${session}`
  const who = facts.onBehalfOf === null ? facts.identity.name : `${facts.identity.name} for ${facts.onBehalfOf}`
  const when = `${time(facts.startedAt)} to ${endedAt === null ? '' : time(endedAt)} UTC`
  return `whole: session ${session}, ${who} on ${facts.target}, ${when}, ${statements} statements, ${frames} frames, signed by key ${signers.join(', ')} of node ${facts.node}`
}

function faultLine({ session, kind, what }: Verified['faults'][number]): string {
  return `${kind}: ${session === null ? '' : `session ${session}, `}${what}`
}
