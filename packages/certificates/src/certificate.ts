// A certificate: what an authority says of a key (OpenSSH's PROTOCOL.certkeys). Reading it says nothing of whether it counts.

import { timingSafeEqual } from 'node:crypto'
import { Fields, malformed, string } from './fields.js'
import { isKeyType, isSignedBy, keyIn, readPublicKey } from './public-key.js'
import type { PublicKey } from './public-key.js'

export interface Certificate {
  /** The key it is about, without the certificate around it. */
  readonly key: PublicKey
  readonly kind: 'user' | 'host'
  readonly serial: bigint
  readonly keyId: string
  readonly principals: readonly string[]
  /** Seconds since the Unix epoch: from the first up to, but not with, the second. */
  readonly validAfter: bigint
  readonly validBefore: bigint
  readonly criticalOptions: ReadonlyMap<string, Buffer>
  readonly extensions: ReadonlyMap<string, Buffer>
  readonly authority: PublicKey
  /** What the authority signed, and how. */
  readonly signed: Buffer
  readonly signature: Buffer
}

const suffix = '-cert-v01@openssh.com'
/** OpenSSH's SSHKEY_CERT_MAX_PRINCIPALS; its packets hold 256 KiB, and no honest certificate a tenth of this. */
const most = { principals: 256, options: 64, bytes: 65_536 }

/** The type of the certificates about keys of this type. */
export function certificateType(keyType: string): string {
  return `${keyType}${suffix}`
}

/** The type of key a certificate of this type is about; undefined where it is no type of certificate. */
export function keyTypeOf(certificateTypeName: string): string | undefined {
  if (!certificateTypeName.endsWith(suffix)) return undefined
  const keyType = certificateTypeName.slice(0, -suffix.length)
  return isKeyType(keyType) ? keyType : undefined
}

/** Throws Malformed. */
export function readCertificate(blob: Buffer): Certificate {
  if (blob.length > most.bytes) throw malformed('it is too long')
  const fields = new Fields(blob)
  const keyType = keyTypeOf(fields.text())
  if (keyType === undefined) throw malformed('certificates of this type are not accepted')
  // The nonce, against prepared collisions; it says nothing.
  fields.string()
  const keyStart = fields.position
  const keyObject = keyIn(fields, keyType)
  const key: PublicKey = {
    type: keyType,
    blob: Buffer.concat([string(keyType), blob.subarray(keyStart, fields.position)]),
    key: keyObject,
  }
  const serial = fields.uint64()
  const kind = kindOf(fields.uint32())
  const keyId = fields.text()
  const principals = principalsIn(fields.string())
  const [validAfter, validBefore] = [fields.uint64(), fields.uint64()]
  const [criticalOptions, extensions] = [optionsIn(fields.string()), optionsIn(fields.string())]
  fields.string()
  // Section "New public key formats": an authority is a plain key, never a certificate again.
  const authority = readPublicKey(fields.string())
  const signed = blob.subarray(0, fields.position)
  const signature = fields.string()
  fields.end()
  return {
    key,
    kind,
    serial,
    keyId,
    principals,
    validAfter,
    validBefore,
    criticalOptions,
    extensions,
    authority,
    signed,
    signature,
  }
}

/** Whether one of these authorities made it. Throws Malformed. */
export function isMadeBy(certificate: Certificate, authorities: readonly PublicKey[]): boolean {
  const found = authorities.find((each) => sameBytes(each.blob, certificate.authority.blob))
  return found !== undefined && isSignedBy(found, certificate.signed, certificate.signature)
}

export function isValidAt({ validAfter, validBefore }: Certificate, nowMs: number): boolean {
  const now = BigInt(Math.floor(nowMs / 1000))
  return validAfter <= now && now < validBefore
}

export function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function kindOf(value: number): Certificate['kind'] {
  if (value === 1) return 'user'
  if (value === 2) return 'host'
  throw malformed('it is neither for a user nor for a host')
}

function principalsIn(bytes: Buffer): readonly string[] {
  const fields = new Fields(bytes)
  const principals: string[] = []
  while (!fields.ended) {
    principals.push(fields.text())
    if (principals.length > most.principals) throw malformed('it has too many principals')
  }
  return principals
}

/** Name and value; a value is itself a string inside a string, or nothing. Two of one name would be read differently by others. */
function optionsIn(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const fields = new Fields(bytes)
  const options = new Map<string, Buffer>()
  while (!fields.ended) {
    const name = fields.text()
    if (options.has(name)) throw malformed('one of its options stands there twice')
    options.set(name, fields.string())
    if (options.size > most.options) throw malformed('it has too many options')
  }
  return options
}

/** What the value of an option says. Throws Malformed. */
export function optionText(value: Buffer): string {
  const fields = new Fields(value)
  const text = fields.text()
  fields.end()
  return text
}
