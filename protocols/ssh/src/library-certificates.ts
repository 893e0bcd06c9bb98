// Certificates with ssh2 1.17.0, which knows none: what of its inside is touched for them, here and nowhere else. What is not found as expected
// ends the connection, and the end-to-end tests fail where a later version arranges it differently. What is signed, and by which key it is
// proved, stays the library's own doing.

import type { KeyObject } from 'node:crypto'
import { certificateType, signaturesOf, signBy, string } from '@sallyport/certificates'
import type { PublicKey } from '@sallyport/certificates'
import type { Client, Connection } from 'ssh2'

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
  readonly _kex?: { readonly negotiated: { serverHostKey: string }; readonly sessionID?: Buffer; _hostKey?: Buffer }
  _offer?: OfferInside
  /** A request to log in by a public key: `key` alone asks whether one would do. */
  authPK?: (user: string, ...rest: readonly unknown[]) => void
  readonly _authsQueue?: string[]
  readonly _packetRW?: {
    readonly write: { readonly allocStart: number; alloc(sizeBytes: number): Buffer; finalize(packet: Buffer): Buffer }
  }
  readonly _cipher?: { encrypt(packet: Buffer): void }
}

function insideOf(end: Connection | Client): ProtocolInside | undefined {
  return (end as unknown as { readonly _protocol?: ProtocolInside })._protocol
}

const plainType = 'ssh-ed25519'
const certifiedType = 'ssh-ed25519-cert-v01@openssh.com'

/**
 * Offers the host key with its certificate as well (PROTOCOL.certkeys), which the library does not know. Call before the key exchange begins, in
 * the connection's own event. Answers false where the library is not as expected.
 */
export function showCertificate(connection: Connection, certificate: Buffer): boolean {
  const protocol = insideOf(connection)
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

/** Asks a target for these host keys, certificates among them. Call right after `connect`, before the target has spoken. */
export function askForCertificates(client: Client, serverHostKey: readonly string[]): boolean {
  const protocol = insideOf(client)
  if (protocol?._offer === undefined) return false
  protocol._offer = offering(protocol._offer, serverHostKey)
  return true
}

/**
 * The target showed a good certificate about this key: from here on the library proves the key, as if that had been shown. The exchange's hash
 * is over what was shown; the library makes it first, and then reads the name that the signature must have.
 */
export function proveByKey(client: Client, key: PublicKey): boolean {
  const exchange = insideOf(client)?._kex
  if (exchange === undefined) return false
  Object.defineProperty(exchange.negotiated, 'serverHostKey', {
    configurable: true,
    enumerable: true,
    get: () => {
      exchange._hostKey = key.blob
      return key.type
    },
  })
  return true
}

export interface CertifiedKey {
  /** The certificate. */
  readonly blob: Buffer
  readonly keyType: string
  readonly privateKey: KeyObject
}

const userauthRequest = 50

/** Logs in with the certificate in place of the plain key (RFC 4252, section 7), signed at once: whether it would do need not be asked. */
export function logInByCertificate(client: Client, { blob, keyType, privateKey }: CertifiedKey): boolean {
  const protocol = insideOf(client)
  const [format] = signaturesOf(keyType)
  if (protocol?.authPK === undefined || format === undefined) return false
  const algorithm = certificateType(keyType === 'ssh-rsa' ? format : keyType)
  protocol.authPK = (user) => {
    const { _kex: exchange, _authsQueue: queue, _packetRW: packets, _cipher: cipher } = protocol
    if (exchange?.sessionID === undefined || queue === undefined || packets === undefined || cipher === undefined)
      throw new Error('the SSH library is not as expected')
    const request = Buffer.concat([
      Buffer.from([userauthRequest]),
      ...[user, 'ssh-connection', 'publickey'].map(string),
      Buffer.from([1]),
      string(algorithm),
      string(blob),
    ])
    const signature = signBy(privateKey, format, Buffer.concat([string(exchange.sessionID), request]))
    const payload = Buffer.concat([request, string(signature)])
    const packet = packets.write.alloc(payload.length)
    packet.set(payload, packets.write.allocStart)
    queue.push('publickey')
    cipher.encrypt(packets.write.finalize(packet))
  }
  return true
}
