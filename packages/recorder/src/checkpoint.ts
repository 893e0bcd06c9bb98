// Signed statements that a session had this many frames and this hash. Those of one key are chained themselves, so that none can be taken
// out, not even with the session it seals.

import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Malformed } from '@sallyport/core'
import type { Checkpoint } from './shipped.js'

export interface CheckpointFacts {
  readonly key: string
  readonly number: number
  readonly node: string
  readonly session: string
  readonly frames: number
  /** Hex. */
  readonly hash: string
  readonly state: 'open' | 'closed'
  readonly at: number
  /** Hex SHA-256 of the previous checkpoint's body; zeros for a key's first. */
  readonly previous: string
}

export const NO_CHECKPOINT = '0'.repeat(64)

const TITLE = 'sallyport-checkpoint-1'

export function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16)
}

/** One `name value` a line, names in this order; node and session as JSON strings. README.md describes it for other verifiers. */
function checkpointBody(facts: CheckpointFacts): string {
  return [
    TITLE,
    `key ${facts.key}`,
    `number ${facts.number}`,
    `node ${JSON.stringify(facts.node)}`,
    `session ${JSON.stringify(facts.session)}`,
    `frames ${facts.frames}`,
    `hash ${facts.hash}`,
    `state ${facts.state}`,
    `at ${facts.at}`,
    `previous ${facts.previous}`,
    '',
  ].join('\n')
}

function malformed(): Malformed {
  return new Malformed('upstream', 'checkpoint', 'a checkpoint cannot be read')
}

function jsonText(text: string): string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed()
  }
  if (typeof value !== 'string') throw malformed()
  return value
}

/** Throws Malformed for whatever `checkpointBody` would not have written. */
export function parseCheckpoint(body: string): CheckpointFacts {
  const lines = body.split('\n')
  const value = (index: number, name: string): string => {
    const line = lines[index] ?? ''
    if (!line.startsWith(`${name} `)) throw malformed()
    return line.slice(name.length + 1)
  }
  const state = value(7, 'state')
  if (state !== 'open' && state !== 'closed') throw malformed()
  const facts: CheckpointFacts = {
    key: value(1, 'key'),
    number: Number(value(2, 'number')),
    node: jsonText(value(3, 'node')),
    session: jsonText(value(4, 'session')),
    frames: Number(value(5, 'frames')),
    hash: value(6, 'hash'),
    state,
    at: Number(value(8, 'at')),
    previous: value(9, 'previous'),
  }
  if (checkpointBody(facts) !== body) throw malformed()
  return facts
}

export function bodyHash(body: string): string {
  return createHash('sha256').update(body).digest('hex')
}

export function signCheckpoint(facts: CheckpointFacts, privateKey: KeyObject): Checkpoint {
  const body = checkpointBody(facts)
  return {
    key: facts.key,
    number: facts.number,
    session: facts.session,
    body,
    signature: sign(null, Buffer.from(body), privateKey),
  }
}

export function isSigned(checkpoint: Checkpoint, publicKey: KeyObject): boolean {
  return verify(null, Buffer.from(checkpoint.body), publicKey, checkpoint.signature)
}

/** The key in a PEM, or undefined where it is none: what the database holds may have been tampered with. */
export function readPublicKey(pem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(pem)
    return key.asymmetricKeyType === 'ed25519' ? key : undefined
  } catch {
    return undefined
  }
}
