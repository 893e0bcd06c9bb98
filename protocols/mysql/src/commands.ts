// Cuts the client's stream into commands: joined where one came in several packets, which must be numbered from 0.

import { Malformed } from '@sallyport/core'
import { ByteQueue } from '@sallyport/wire'
import { headerBytes, maxPacketBytes } from './packets.js'

/** Held whole, since it must be understood: MySQL 8's default max_allowed_packet. */
const maxHeldBytes = 64 * 1024 * 1024

export interface Command {
  readonly payload: Buffer
  /** Packets it came in. */
  readonly count: number
  /** The packet it came in, where it was one: it can go on as it came. */
  readonly packet: Buffer | undefined
}

export class Commands {
  readonly #bytes = new ByteQueue()

  push(chunk: Buffer): void {
    this.#bytes.push(chunk)
  }

  get held(): number {
    return this.#bytes.length
  }

  /** Takes the next command, if it is here whole. Takes nothing where it throws, so that the same fault is met again. */
  next(): Command | undefined {
    const bytes = this.#bytes
    let at = 0
    for (let count = 1; ; count += 1) {
      if (bytes.length < at + headerBytes) return undefined
      const size = bytes.at(at) | (bytes.at(at + 1) << 8) | (bytes.at(at + 2) << 16)
      if (bytes.at(at + 3) !== ((count - 1) & 0xff))
        throw new Malformed('client', 'out-of-sequence', 'a command must be numbered from 0')
      at += headerBytes + size
      if (at > maxHeldBytes) throw new Malformed('client', 'packet-too-long', `a command is longer than ${maxHeldBytes} bytes`)
      if (size < maxPacketBytes) return bytes.length < at ? undefined : this.#taken(count, at)
    }
  }

  #taken(count: number, size: number): Command {
    if (count === 1) {
      const packet = this.#bytes.take(size)
      return { payload: packet.subarray(headerBytes), count, packet }
    }
    const parts = Array.from({ length: count }, () => this.#bytes.take(this.#bytes.take(headerBytes).readUIntLE(0, 3)))
    return { payload: Buffer.concat(parts), count, packet: undefined }
  }
}
