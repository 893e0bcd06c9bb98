// A request as it goes to the target, whichever version of HTTP that speaks.

import type { Trailers } from './trailers.js'

export interface Sending {
  readonly method: string
  readonly path: string
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly body: Buffer | AsyncIterable<Buffer> | undefined
  readonly grpc: boolean
  /** Known once the body has gone. */
  readonly trailers: () => Trailers
  /** Whether there are any, or were announced. */
  readonly expectsTrailers: boolean
}
