// MariaDB's client_ed25519: an Ed25519 signature (RFC 8032) of the server's nonce, whose secret is the password of any length in place of the 32-byte
// seed. Node's own Ed25519 takes only a seed, so the curve is written out here. It runs once a login, towards the target alone.

import { createHash } from 'node:crypto'

const prime = (1n << 255n) - 19n
const order = (1n << 252n) + 27742317777372353535851937790883648493n

/** x, y, z, t: extended coordinates (RFC 8032, section 5.1.4). */
type Point = readonly [bigint, bigint, bigint, bigint]

const modulo = (value: bigint, by = prime): bigint => ((value % by) + by) % by

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = modulo(base)
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = modulo(result * square)
    square = modulo(square * square)
  }
  return result
}

const inverse = (value: bigint): bigint => power(value, prime - 2n)
const d = modulo(-121665n * inverse(121666n))
const baseX = 15112221349535400772501151409588531511454012693041857206046113283949847762202n
const baseY = modulo(4n * inverse(5n))
const base: Point = [baseX, baseY, 1n, modulo(baseX * baseY)]

function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = modulo((y1 - x1) * (y2 - x2))
  const b = modulo((y1 + x1) * (y2 + x2))
  const c = modulo(2n * t1 * t2 * d)
  const e = modulo(2n * z1 * z2)
  const [f, g, h, i] = [b - a, e - c, e + c, b + a]
  return [modulo(f * g), modulo(h * i), modulo(g * h), modulo(f * i)]
}

/** Adds for every bit, so that the time does not follow the bits. */
function multiply(scalar: bigint, point: Point): Point {
  let result: Point = [0n, 1n, 1n, 0n]
  let spare: Point = result
  let double = point
  for (let bit = 0n; bit < 256n; bit += 1n) {
    if (((scalar >> bit) & 1n) === 1n) result = add(result, double)
    else spare = add(spare, double)
    double = add(double, double)
  }
  return result
}

function littleEndian(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`)
}

function encode(value: bigint): Buffer {
  return Buffer.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toReversed())
}

function encodePoint([x, y, z]: Point): Buffer {
  const inverted = inverse(z)
  return encode(modulo(y * inverted) | ((modulo(x * inverted) & 1n) << 255n))
}

const sha512 = (...parts: readonly Buffer[]): Buffer => createHash('sha512').update(Buffer.concat(parts)).digest()

/** The 64-byte signature (RFC 8032, section 5.1.6). */
export function answerEd25519(password: string, nonce: Buffer): Buffer {
  const expanded = sha512(Buffer.from(password))
  const scalarBytes = Buffer.from(expanded.subarray(0, 32))
  scalarBytes[0] = (scalarBytes[0] as number) & 248
  scalarBytes[31] = ((scalarBytes[31] as number) & 63) | 64
  const scalar = littleEndian(scalarBytes)
  const publicKey = encodePoint(multiply(scalar, base))
  const r = modulo(littleEndian(sha512(expanded.subarray(32), nonce)), order)
  const encodedR = encodePoint(multiply(r, base))
  const challenge = modulo(littleEndian(sha512(encodedR, publicKey, nonce)), order)
  return Buffer.concat([encodedR, encode(modulo(r + challenge * scalar, order))])
}
