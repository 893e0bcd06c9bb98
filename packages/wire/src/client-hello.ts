// The head of a TLS connection, read without answering it: which protocol the client wants inside (RFC 8446, section 4.1.2; RFC 7301, section 3.1).

export type ClientHello =
  { readonly kind: 'more' } | { readonly kind: 'not-tls' } | { readonly kind: 'hello'; readonly protocols: readonly string[] }

const handshakeRecord = 0x16
const clientHello = 1
const alpn = 16

/** `more`: it has not come whole yet. What is malformed is not TLS. */
export function readClientHello(first: Uint8Array): ClientHello {
  if (first.length > 0 && first[0] !== handshakeRecord) return { kind: 'not-tls' }
  if (first.length < 5) return { kind: 'more' }
  const bytes = Buffer.from(first.buffer, first.byteOffset, first.byteLength)
  if (bytes[1] !== 3) return { kind: 'not-tls' }
  const handshake = handshakeOf(bytes)
  if (handshake.length < 4) return { kind: 'more' }
  if (handshake[0] !== clientHello) return { kind: 'not-tls' }
  const end = 4 + handshake.readUIntBE(1, 3)
  if (handshake.length < end) return { kind: 'more' }
  try {
    return { kind: 'hello', protocols: protocolsIn(handshake.subarray(4, end)) }
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'not-tls' }
    throw error
  }
}

/** The handshake's bytes out of the records that are here; a long hello comes in several (RFC 8446, section 5.1). */
function handshakeOf(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at + 5 <= bytes.length && bytes[at] === handshakeRecord;) {
    const size = bytes.readUInt16BE(at + 3)
    parts.push(bytes.subarray(at + 5, at + 5 + size))
    at += 5 + size
  }
  return Buffer.concat(parts)
}

/** Reading past the end throws RangeError. */
function protocolsIn(hello: Buffer): readonly string[] {
  let at = 2 + 32
  at += 1 + hello.readUInt8(at)
  at += 2 + hello.readUInt16BE(at)
  at += 1 + hello.readUInt8(at)
  if (at >= hello.length) return []
  const end = at + 2 + hello.readUInt16BE(at)
  at += 2
  while (at < end) {
    const type = hello.readUInt16BE(at)
    const size = hello.readUInt16BE(at + 2)
    if (type === alpn) return namesIn(hello.subarray(at + 6, at + 4 + size))
    at += 4 + size
  }
  return []
}

function namesIn(list: Buffer): readonly string[] {
  const names: string[] = []
  for (let at = 0; at < list.length;) {
    const size = list.readUInt8(at)
    names.push(list.subarray(at + 1, at + 1 + size).toString('latin1'))
    at += 1 + size
  }
  return names
}
