// SFTP version 3 (draft-ietf-secsh-filexfer-02): packets cut from a stream, and the fields inside one.

import { Malformed } from '@sallyport/core'

export const kinds = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const

/** Section 7 of the draft. */
export const statusCodes = { ok: 0, endOfFile: 1, noSuchFile: 2, permissionDenied: 3, failure: 4, unsupported: 8 } as const

/** SFTP_MAX_MSG_LENGTH of OpenSSH is 256 KiB; some servers send a little more around their data. */
const maxPacketBytes = 300 * 1024

export type End = 'client' | 'upstream'

/** Cuts a stream into packets; each is answered whole, its length in front. */
export class Cutter {
  readonly #end: End
  #chunks: Buffer[] = []
  #heldBytes = 0

  constructor(end: End) {
    this.#end = end
  }

  /** Throws Malformed. */
  push(bytes: Buffer): Buffer[] {
    this.#chunks.push(bytes)
    this.#heldBytes += bytes.length
    const packets: Buffer[] = []
    for (;;) {
      if (this.#heldBytes < 4) return packets
      const sizeBytes = 4 + this.#gather(4).readUInt32BE(0)
      if (sizeBytes < 5 || sizeBytes > maxPacketBytes)
        throw new Malformed(this.#end, 'sftp-length', 'an SFTP packet has an impossible length')
      if (this.#heldBytes < sizeBytes) return packets
      packets.push(this.#take(sizeBytes))
    }
  }

  /** The first so many bytes in one piece, still held. */
  #gather(sizeBytes: number): Buffer {
    const [first] = this.#chunks
    if (first !== undefined && first.length >= sizeBytes) return first
    const whole = Buffer.concat(this.#chunks)
    this.#chunks = [whole]
    return whole
  }

  #take(sizeBytes: number): Buffer {
    const [first] = this.#chunks
    if (first === undefined || first.length < sizeBytes) this.#gather(sizeBytes)
    const whole = this.#chunks[0] ?? Buffer.alloc(0)
    if (whole.length > sizeBytes) this.#chunks[0] = whole.subarray(sizeBytes)
    else this.#chunks.shift()
    this.#heldBytes -= sizeBytes
    return whole.subarray(0, sizeBytes)
  }
}

/** The fields of one packet, in order. Throws Malformed where one is missing. */
export class Fields {
  readonly #bytes: Buffer
  readonly #end: End
  #at: number

  /** Behind length and type. */
  constructor(bytes: Buffer, end: End, at = 5) {
    this.#bytes = bytes
    this.#end = end
    this.#at = at
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#step(4))
  }

  /** Offsets in files stay below 2^53. */
  uint64(): number {
    const value = this.#bytes.readBigUInt64BE(this.#step(8))
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new Malformed(this.#end, 'sftp-offset', 'an SFTP packet names an impossible offset')
    return Number(value)
  }

  string(): Buffer {
    const sizeBytes = this.uint32()
    const from = this.#step(sizeBytes)
    return this.#bytes.subarray(from, from + sizeBytes)
  }

  text(): string {
    return this.string().toString('utf8')
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  #step(sizeBytes: number): number {
    const from = this.#at
    if (sizeBytes > this.#bytes.length - from)
      throw new Malformed(this.#end, 'sftp-fields', 'an SFTP packet is shorter than its fields')
    this.#at += sizeBytes
    return from
  }
}

export function packet(kind: number, ...fields: readonly (number | string | Buffer)[]): Buffer {
  const parts = fields.map((field) => {
    if (typeof field === 'number') return uint32(field)
    const bytes = Buffer.from(field)
    return Buffer.concat([uint32(bytes.length), bytes])
  })
  const body = Buffer.concat([Buffer.from([kind]), ...parts])
  return Buffer.concat([uint32(body.length), body])
}

export function status(id: number, code: number, message: string): Buffer {
  return packet(kinds.status, id, code, message, 'en')
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
