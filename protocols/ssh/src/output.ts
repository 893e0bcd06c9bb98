// The two outputs of a command on their way from the target to the client, masked where that was ruled.

import type { Settled } from '@sallyport/core'
import type { ClientChannel } from './client-channel.js'
import { unmaskableIn } from './output-masks.js'
import type { ShownText } from './shown-text.js'

/** One of the two outputs on its way to the client; `unmaskable`: nothing more of it is shown, and why. */
export class Output {
  readonly channel: ClientChannel
  readonly #to: 'out' | 'err'
  readonly #masked: ShownText | undefined
  unmaskable: string | undefined
  onUnmaskable: () => void = () => {}

  constructor(channel: ClientChannel, to: 'out' | 'err', masked: ShownText | undefined) {
    this.channel = channel
    this.#to = to
    this.#masked = masked
  }

  /** A promise means: wait before sending more. */
  send(bytes: Buffer): Settled<void> {
    const shown = this.#shown((masked) => masked.push(bytes), bytes)
    return shown.length === 0 ? undefined : this.channel.send(this.#to, shown)
  }

  end(): void {
    const rest = this.#shown((masked) => masked.end(), Buffer.alloc(0))
    if (rest.length > 0) void this.channel.send(this.#to, rest)
  }

  #shown(mask: (masked: ShownText) => Buffer, bytes: Buffer): Buffer {
    if (this.#masked === undefined) return bytes
    if (this.unmaskable !== undefined) return Buffer.alloc(0)
    try {
      return mask(this.#masked)
    } catch (error) {
      this.unmaskable = unmaskableIn(error)
      this.onUnmaskable()
      return Buffer.alloc(0)
    }
  }
}

/** Everything that comes, in order, no faster than the client takes it. */
export function pump(from: NodeJS.ReadableStream, to: Output, seen?: (bytes: Buffer) => void): void {
  from.on('error', () => {})
  from.on('data', (bytes: Buffer) => {
    if (to.channel.closed) return
    seen?.(bytes)
    const wait = to.send(bytes)
    if (wait === undefined) return
    from.pause()
    void Promise.resolve(wait).then(() => from.resume())
  })
}
