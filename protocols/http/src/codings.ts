// Content codings that can be looked into (RFC 9110, section 8.4.1), for what streams and for what was kept.

import * as zlib from 'node:zlib'
import type { Transform } from 'node:stream'

interface Coding {
  /** Undefined: nothing was done to the bytes. */
  stream(): Transform | undefined
  whole(bytes: Buffer, limits: { readonly maxOutputLength: number }): Buffer
}

/** Node has it from 22.15 on. */
const { createZstdDecompress, zstdDecompressSync } = zlib as {
  readonly createZstdDecompress?: () => Transform
  readonly zstdDecompressSync?: Coding['whole']
}

const gzip: Coding = { stream: () => zlib.createGunzip(), whole: (bytes, limits) => zlib.gunzipSync(bytes, limits) }
const known = new Map<string, Coding>([
  ['identity', { stream: () => undefined, whole: (bytes) => bytes }],
  ['gzip', gzip],
  ['x-gzip', gzip],
  ['deflate', { stream: () => zlib.createInflate(), whole: (bytes, limits) => zlib.inflateSync(bytes, limits) }],
  ['br', { stream: () => zlib.createBrotliDecompress(), whole: (bytes, limits) => zlib.brotliDecompressSync(bytes, limits) }],
])
if (createZstdDecompress !== undefined && zstdDecompressSync !== undefined)
  known.set('zstd', { stream: createZstdDecompress, whole: zstdDecompressSync })

/** By the value of content-encoding; undefined: what is packed so cannot be looked into. */
export function codingOf(encoding: string | undefined): Coding | undefined {
  return known.get((encoding ?? 'identity').trim().toLowerCase())
}
