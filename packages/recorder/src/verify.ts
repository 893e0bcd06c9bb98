// Proves the record whole: every session, and the chain of checkpoints that holds the sessions together, so that not even a session with
// everything that belongs to it can go missing unseen.

import type { KeyObject } from 'node:crypto'
import { Malformed } from '@sallyport/core'
import { NO_CHECKPOINT, bodyHash, isSigned, keyIdOf, parseCheckpoint, readPublicKey } from './checkpoint.js'
import { Findings } from './findings.js'
import type { Finding, SessionVerdict } from './findings.js'
import type { ChainHead } from './node-key.js'
import type { FrameSource } from './shipped.js'
import { verifySession } from './verify-session.js'
import type { KeyOf } from './verify-session.js'

/** What the verifier knows without the database; `readPins` reads it from a node's home. */
export interface Pins {
  /** PEM by key id. */
  readonly keys: ReadonlyMap<string, string>
  readonly head: ChainHead | undefined
}

export interface RecordVerdict {
  readonly state: 'whole' | 'altered'
  readonly sessions: number
  /** Sessions that have not ended; whole as far as they are there. */
  readonly live: number
  /** Keys that only the database vouches for: whoever could write there could have signed anew. */
  readonly unpinned: readonly string[]
  readonly findings: readonly Finding[]
}

interface Keys {
  readonly keyOf: KeyOf
  readonly ids: readonly string[]
  readonly unpinned: readonly string[]
}

/** A pinned key counts before the database's; a key that does not have the id it goes by is none. */
async function gatherKeys(source: FrameSource, pins: Pins, findings: Findings): Promise<Keys> {
  const keys = new Map<string, KeyObject>()
  const unpinned: string[] = []
  for (const [id, pem] of pins.keys) {
    const key = readPublicKey(pem)
    if (key !== undefined) keys.set(id, key)
  }
  for (const { id, publicKey } of await source.keys()) {
    if (keys.has(id)) continue
    const key = readPublicKey(publicKey)
    if (key === undefined || keyIdOf(key) !== id) {
      findings.add('altered', `key ${id}`, 'the database holds another key under this id')
      continue
    }
    keys.set(id, key)
    unpinned.push(id)
  }
  return { keyOf: (id) => keys.get(id), ids: [...keys.keys()], unpinned }
}

/** Walks a key's checkpoints from the first: none missing, each naming the one before it. */
async function verifyChain(key: string, source: FrameSource, keys: Keys, pins: Pins, findings: Findings): Promise<void> {
  let number = 0
  let previous = NO_CHECKPOINT
  const head = pins.head?.key === key ? pins.head : undefined
  const publicKey = keys.keyOf(key)
  for await (const checkpoint of source.chain(key)) {
    const place = `checkpoint ${checkpoint.number} of key ${key}`
    if (checkpoint.number !== number + 1)
      findings.add('removed', place, `checkpoints ${number + 1} to ${checkpoint.number - 1} are gone`)
    if (publicKey === undefined || !isSigned(checkpoint, publicKey)) findings.add('altered', place, 'its signature does not fit')
    else if (!follows(checkpoint.body, checkpoint.number, previous) && checkpoint.number === number + 1) {
      findings.add('altered', place, 'it does not follow the one before it')
    }
    previous = bodyHash(checkpoint.body)
    number = checkpoint.number
    if (head?.number === number && head.hash !== previous) findings.add('altered', place, 'it is not the one this node wrote')
  }
  if (head !== undefined && head.number > number) {
    findings.add('removed', `checkpoints ${number + 1} to ${head.number} of key ${key}`, 'this node wrote them; they are gone')
  }
}

function follows(body: string, number: number, previous: string): boolean {
  try {
    const facts = parseCheckpoint(body)
    return facts.number === number && facts.previous === previous
  } catch (error) {
    if (error instanceof Malformed) return false
    throw error
  }
}

/** One session. What concerns the keys themselves is among its findings. */
export async function verifyOne(session: string, source: FrameSource, pins: Pins): Promise<SessionVerdict> {
  const findings = new Findings(session)
  const { keyOf } = await gatherKeys(source, pins, findings)
  const verdict = await verifySession(session, source, keyOf)
  if (findings.list.length === 0) return verdict
  return { ...verdict, state: 'altered', findings: [...findings.list, ...verdict.findings] }
}

/** Everything. `onSession` is told of each session as it is proved. */
export async function verifyAll(
  source: FrameSource,
  pins: Pins,
  onSession: (verdict: SessionVerdict) => void = () => undefined,
): Promise<RecordVerdict> {
  const findings = new Findings()
  const keys = await gatherKeys(source, pins, findings)
  for (const key of keys.ids) await verifyChain(key, source, keys, pins, findings)
  const found: Finding[] = [...findings.list]
  let sessions = 0
  let live = 0
  for await (const id of source.sessionIds()) {
    const verdict = await verifySession(id, source, keys.keyOf)
    sessions += 1
    if (verdict.state === 'live') live += 1
    // Not `push(...)`: a thousand sessions with a thousand findings each must not be a million arguments.
    for (const finding of verdict.findings) found.push(finding)
    onSession(verdict)
  }
  return { state: found.length === 0 ? 'whole' : 'altered', sessions, live, unpinned: keys.unpinned, findings: found }
}
