// A session's frames out of its blocks, in order, a block at a time. Checks what replaying needs; whether they are the frames that were
// recorded is verify's question.

import { brotliDecompressSync } from 'node:zlib'
import { Malformed } from '@sallyport/core'
import type { Frame } from '@sallyport/core'
import { BLOCK_BYTES } from './ledger.js'
import { MAX_FRAME_BYTES } from './codec.js'
import { decodeFrame, framesOf } from './decode.js'
import type { Block, FrameSource } from './shipped.js'

/** A block ends before it grows past its size, or holds one frame that is larger. */
const LARGEST_BLOCK_BYTES = Math.max(BLOCK_BYTES, MAX_FRAME_BYTES + 4)

/** A block's frames as they were hashed. Throws Malformed. */
export function openBlock(block: Block): Buffer {
  const bytes = Buffer.from(block.bytes.buffer, block.bytes.byteOffset, block.bytes.byteLength)
  if (block.encoding === 'raw') return bytes
  try {
    return brotliDecompressSync(bytes, { maxOutputLength: LARGEST_BLOCK_BYTES })
  } catch (cause) {
    throw new Malformed('upstream', 'recorded-block', `block ${block.number} of session ${block.session} cannot be unpacked`, {
      cause,
    })
  }
}

/** Throws Malformed where the record is damaged. */
export async function* replay(session: string, source: Pick<FrameSource, 'blocks'>): AsyncGenerator<Frame> {
  for await (const block of source.blocks(session)) {
    for (const bytes of framesOf(openBlock(block))) {
      const frame = decodeFrame(bytes)
      if (frame.kind === 'opened' || frame.kind === 'closed' || frame.kind === 'started') continue
      yield frame
    }
  }
}
