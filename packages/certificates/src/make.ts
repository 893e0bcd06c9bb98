// Certificates of an authority of our own: Ed25519, in SSH's form.

import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { certificateType } from './certificate.js'
import type { Certificate } from './certificate.js'
import { string, uint32, uint64 } from './fields.js'
import { readPublicKey } from './public-key.js'
import type { PublicKey } from './public-key.js'

export interface Authority {
  readonly publicKey: PublicKey
  readonly privateKey: KeyObject
}

export type CertificateOrder = Pick<Certificate, 'kind' | 'serial' | 'keyId' | 'principals' | 'validAfter' | 'validBefore'> & {
  readonly key: PublicKey
  /** By name. What a reader does not know it must refuse. */
  readonly criticalOptions?: Readonly<Record<string, string>>
  /** What a reader does not know it passes over. */
  readonly extensions?: Readonly<Record<string, string>>
}

/** RFC 8410, section 7: what stands before the 32 bytes of an Ed25519 key in PKCS #8. */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const seedBytes = 32

/** The authority that follows from these 32 secret bytes, the same each time. */
export function authorityFrom(seed: Uint8Array): Authority {
  if (seed.length !== seedBytes) throw new RangeError(`an authority follows from ${seedBytes} bytes`)
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' })
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  const blob = Buffer.concat([string('ssh-ed25519'), string(Buffer.from(x, 'base64url'))])
  return { publicKey: readPublicKey(blob), privateKey }
}

export function makeCertificate(order: CertificateOrder, authority: Authority): Buffer {
  const { key, kind, serial, keyId, principals, validAfter, validBefore } = order
  // The key's own fields, without the name of its type.
  const keyFields = key.blob.subarray(4 + Buffer.byteLength(key.type))
  const unsigned = Buffer.concat([
    string(certificateType(key.type)),
    string(randomBytes(32)),
    keyFields,
    uint64(serial),
    uint32(kind === 'user' ? 1 : 2),
    string(keyId),
    string(Buffer.concat(principals.map(string))),
    uint64(validAfter),
    uint64(validBefore),
    options(order.criticalOptions ?? {}),
    options(order.extensions ?? {}),
    string(''),
    string(authority.publicKey.blob),
  ])
  const signature = Buffer.concat([string('ssh-ed25519'), string(sign(null, unsigned, authority.privateKey))])
  return Buffer.concat([unsigned, string(signature)])
}

/** PROTOCOL.certkeys, "Critical options": in lexical order; a value is a string inside a string, or nothing. */
function options(values: Readonly<Record<string, string>>): Buffer {
  const sorted = Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return string(Buffer.concat(sorted.flatMap(([name, value]) => [string(name), value === '' ? string('') : string(string(value))])))
}
