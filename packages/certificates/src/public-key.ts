// Public keys of SSH (RFC 4253, section 6.6; RFC 5656; RFC 8709; RFC 8332) as node:crypto knows them, and signatures by them.

import { createPublicKey, sign, verify } from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'
import { Fields, malformed, string } from './fields.js'

interface Curve {
  readonly name: string
  readonly jwk: string
  readonly sizeBytes: number
  readonly hash: string
}

/** RFC 5656, section 6.2.1, for the hashes. */
const curves: Readonly<Record<string, Curve>> = {
  'ecdsa-sha2-nistp256': { name: 'nistp256', jwk: 'P-256', sizeBytes: 32, hash: 'sha256' },
  'ecdsa-sha2-nistp384': { name: 'nistp384', jwk: 'P-384', sizeBytes: 48, hash: 'sha384' },
  'ecdsa-sha2-nistp521': { name: 'nistp521', jwk: 'P-521', sizeBytes: 66, hash: 'sha512' },
}

const rsaHashes: Readonly<Record<string, string>> = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' }
/** NIST SP 800-131A: below it a signature is no longer acceptable; above, checking one costs too much for a stranger to ask. */
const rsaBits = { least: 2_048, most: 8_192 }

export interface PublicKey {
  readonly type: string
  /** As SSH writes it. */
  readonly blob: Buffer
  readonly key: KeyObject
}

/** Whether a key may be of this type at all. */
export function isKeyType(type: string): boolean {
  return type === 'ssh-ed25519' || type === 'ssh-rsa' || curves[type] !== undefined
}

/** Throws Malformed. */
export function readPublicKey(blob: Buffer): PublicKey {
  const fields = new Fields(blob)
  const type = fields.text()
  const key = keyIn(fields, type)
  fields.end()
  return { type, blob, key }
}

/** A line of a .pub file, with a comment or without. Throws Malformed. */
export function readPublicKeyLine(line: string): PublicKey {
  const [type = '', base64 = ''] = line.trim().split(/\s+/)
  const read = readPublicKey(Buffer.from(base64, 'base64'))
  if (read.type !== type) throw malformed(`it says ${read.type} where the line says ${type.slice(0, 64)}`)
  return read
}

export function publicKeyLine({ type, blob }: Pick<PublicKey, 'type' | 'blob'>): string {
  return `${type} ${blob.toString('base64')}`
}

/** The fields of a key of this type, after its type's name. Throws Malformed. */
export function keyIn(fields: Fields, type: string): KeyObject {
  const jwk = jwkIn(fields, type)
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    throw malformed('its numbers are no key')
  }
}

function jwkIn(fields: Fields, type: string): JsonWebKey {
  if (type === 'ssh-ed25519') {
    const x = fields.string()
    if (x.length !== 32) throw malformed('an Ed25519 key has 32 bytes')
    return { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') }
  }
  if (type === 'ssh-rsa') {
    const [e, n] = [fields.mpint(), fields.mpint()]
    const bits = n.length * 8 - Math.clz32(n[0] ?? 0) + 24
    if (bits < rsaBits.least || bits > rsaBits.most) throw malformed(`an RSA key has ${rsaBits.least} to ${rsaBits.most} bits`)
    if (e.length > 8) throw malformed('its exponent is too long')
    return { kty: 'RSA', e: e.toString('base64url'), n: n.toString('base64url') }
  }
  const curve = curves[type]
  if (curve === undefined) throw malformed('keys of this type are not accepted')
  const [name, point] = [fields.text(), fields.string()]
  // RFC 5656, section 3.1: compressed points are not needed, and OpenSSH makes none.
  if (name !== curve.name || point.length !== 1 + 2 * curve.sizeBytes || point[0] !== 4)
    throw malformed('its point is not one of the curve')
  const [x, y] = [point.subarray(1, 1 + curve.sizeBytes), point.subarray(1 + curve.sizeBytes)]
  return { kty: 'EC', crv: curve.jwk, x: x.toString('base64url'), y: y.toString('base64url') }
}

/** How keys of this type may sign; [] for a type that may not. */
export function signaturesOf(type: string): readonly string[] {
  if (type === 'ssh-rsa') return ['rsa-sha2-512', 'rsa-sha2-256']
  return isKeyType(type) ? [type] : []
}

/** Whether `signature` (its format's name and its bytes, as SSH writes them) over `signed` is one by this key. Throws Malformed. */
export function isSignedBy(key: PublicKey, signed: Buffer, signature: Buffer, format?: string): boolean {
  const fields = new Fields(signature)
  const written = fields.text()
  const bytes = fields.string()
  fields.end()
  if (!signaturesOf(key.type).includes(written) || (format !== undefined && format !== written)) return false
  const rsaHash = rsaHashes[written]
  if (rsaHash !== undefined) return verify(rsaHash, signed, key.key, bytes)
  const curve = curves[written]
  if (curve === undefined) return verify(null, signed, key.key, bytes)
  return verify(curve.hash, signed, { key: key.key, dsaEncoding: 'ieee-p1363' }, pair(bytes, curve.sizeBytes))
}

/** RFC 5656, section 3.1.2: r and s, here each in the curve's full size. */
function pair(bytes: Buffer, sizeBytes: number): Buffer {
  const fields = new Fields(bytes)
  const [r, s] = [fields.mpint(), fields.mpint()]
  fields.end()
  if (r.length > sizeBytes || s.length > sizeBytes) throw malformed('its signature is too long for the curve')
  const [left, right] = [r, s].map((part) => Buffer.concat([Buffer.alloc(sizeBytes - part.length), part]))
  return Buffer.concat([left ?? Buffer.alloc(0), right ?? Buffer.alloc(0)])
}

/** A signature by a private key of this type, in this format, as SSH writes it. */
export function signBy(privateKey: KeyObject, format: string, data: Buffer): Buffer {
  const curve = curves[format]
  if (curve === undefined) return Buffer.concat([string(format), string(sign(rsaHashes[format] ?? null, data, privateKey))])
  const both = sign(curve.hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const [r, s] = [both.subarray(0, curve.sizeBytes), both.subarray(curve.sizeBytes)]
  return Buffer.concat([string(format), string(Buffer.concat([mpint(r), mpint(s)]))])
}

/** RFC 4251, section 5: as short as can be, with a zero in front where it would look negative. */
function mpint(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0)
  const short = bytes.subarray(start < 0 ? bytes.length : start)
  return string((short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), short]) : short)
}
