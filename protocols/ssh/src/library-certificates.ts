// Certificates with ssh2 1.17.0, which knows none: what of its inside is touched for them, here and nowhere else. What is not found as expected
// ends the connection, and the end-to-end tests fail where a later version arranges it differently. What is signed, and by which key it is
// proved, stays the library's own doing.

import type { Connection } from 'ssh2'

interface HostKeyInside {
  readonly type: string
  getPublicSSH(): Buffer
  sign(data: Buffer, algorithm?: string): Buffer
}

/** What is offered in a key exchange, by its parts. */
interface OfferInside {
  readonly lists: {
    readonly kex: { readonly array: readonly string[] }
    readonly serverHostKey: { readonly array: readonly string[] }
    readonly cs: Readonly<Record<'cipher' | 'mac' | 'compress' | 'lang', { readonly array: readonly string[] }>>
  }
}

interface ProtocolInside {
  readonly _hostKeys?: Record<string, HostKeyInside>
  readonly _kex?: { readonly negotiated: { serverHostKey: string } }
  _offer?: OfferInside
}

const plainType = 'ssh-ed25519'
const certifiedType = 'ssh-ed25519-cert-v01@openssh.com'

/**
 * Offers the host key with its certificate as well (PROTOCOL.certkeys), which the library does not know. Call before the key exchange begins, in
 * the connection's own event. Answers false where the library is not as expected.
 */
export function showCertificate(connection: Connection, certificate: Buffer): boolean {
  const protocol = (connection as unknown as { readonly _protocol?: ProtocolInside })._protocol
  const plain = protocol?._hostKeys?.[plainType]
  const offer = protocol?._offer
  if (protocol?._hostKeys === undefined || plain === undefined || offer === undefined) return false
  // One object of keys serves every connection of a server; ours has one connection.
  protocol._hostKeys[certifiedType] = {
    type: plainType,
    getPublicSSH: () => certificate,
    sign: (data, algorithm) => {
      // The signature itself goes by the name of the plain key; the library reads that name after signing.
      if (protocol._kex !== undefined) protocol._kex.negotiated.serverHostKey = plainType
      return plain.sign(data, algorithm)
    },
  }
  protocol._offer = offering(offer, [certifiedType, plainType])
  return true
}

/** The same offer with other host keys. */
function offering(offer: OfferInside, serverHostKey: readonly string[]): OfferInside {
  const { kex, cs } = offer.lists
  const way = { cipher: cs.cipher.array, mac: cs.mac.array, compress: cs.compress.array, lang: cs.lang.array }
  const Offer = offer.constructor as new (parts: object) => OfferInside
  return new Offer({ kex: kex.array, serverHostKey, cs: way, sc: way })
}
