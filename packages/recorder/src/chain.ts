// The chain of hashes that holds a session's frames together: each hash covers the one before it and the whole frame.

import { createHash, hash } from 'node:crypto'

const HASH_BYTES = 32
/** Below this, copying beside the previous hash costs less than a streaming hash. */
const ONE_SHOT_BYTES = 16 * 1024

const scratch = Buffer.allocUnsafeSlow(HASH_BYTES + ONE_SHOT_BYTES)

/** Where the chain of a session starts: it binds the first frame to the session's id. */
export function chainStart(session: string): Buffer {
  return createHash('sha256').update(`sallyport-session-1\n${session}`).digest()
}

/** SHA-256(previous || frame). */
export function chainLink(previous: Uint8Array, frame: Buffer): Buffer {
  if (frame.length > ONE_SHOT_BYTES) return createHash('sha256').update(previous).update(frame).digest()
  scratch.set(previous, 0)
  scratch.set(frame, HASH_BYTES)
  return hash('sha256', scratch.subarray(0, HASH_BYTES + frame.length), 'buffer')
}
