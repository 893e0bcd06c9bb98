// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both ends (RFC 5802, RFC 7677; channel binding tls-server-end-point, RFC 5929, section 4).

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Malformed, Unreachable } from '@sallyport/core'
import type { ScramChallenge, TokenVerifiers } from '@sallyport/core'

export const scramPlain = 'SCRAM-SHA-256'
export const scramPlus = 'SCRAM-SHA-256-PLUS'

/** PostgreSQL itself defaults to 4,096; a server that asks for far more would only burn our CPU. */
const maxIterations = 1_000_000
/** RFC 5802 sets none; PostgreSQL's messages stay far below. */
const maxMessageBytes = 8_192

const hmac = (key: Uint8Array, text: string | Uint8Array): Buffer => createHmac('sha256', key).update(text).digest()
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
const xor = (one: Uint8Array, two: Uint8Array): Buffer => Buffer.from(one.map((byte, index) => byte ^ (two[index] as number)))

function attributes(text: string): Map<string, string> {
  return new Map(text.split(',').map((part) => [part.slice(0, 1), part.slice(2)]))
}

const refuse = (what: string): Malformed => new Malformed('client', 'sasl-malformed', `SASL: ${what}`)

/** The server's end. `open` takes the client's first message and answers; `close` checks the last one. */
export class ScramServer {
  readonly #challenge: ScramChallenge
  readonly #binding: Uint8Array | undefined
  #gs2 = ''
  #clientBare = ''
  #serverFirst = ''
  #nonce = ''
  #serverKey: Buffer | undefined
  #authMessage = ''

  /** `binding`: SHA-256 of our certificate where the connection has TLS. */
  constructor(challenge: ScramChallenge, binding: Uint8Array | undefined) {
    this.#challenge = challenge
    this.#binding = binding
  }

  open(mechanism: string, first: Buffer): Buffer {
    if (first.length > maxMessageBytes) throw refuse('the first message is too long')
    const text = first.toString('utf8')
    const match = /^((?:n|y|p=([A-Za-z0-9.-]+)),(?:a=[^,]*)?,)((?:m=[^,]*,)?n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/.exec(text)
    if (match === null) throw refuse('the first message is malformed')
    const [, gs2 = '', bindingName, bare = '', clientNonce = ''] = match
    this.#checkBinding(mechanism, gs2, bindingName)
    if (bare.startsWith('m=')) throw refuse('mandatory extensions are not supported')
    this.#gs2 = gs2
    this.#clientBare = bare
    this.#nonce = clientNonce + randomBytes(18).toString('base64')
    const salt = Buffer.from(this.#challenge.salt).toString('base64')
    this.#serverFirst = `r=${this.#nonce},s=${salt},i=${this.#challenge.iterations}`
    return Buffer.from(this.#serverFirst)
  }

  #checkBinding(mechanism: string, gs2: string, bindingName: string | undefined): void {
    const bound = bindingName !== undefined
    if (bound !== (mechanism === scramPlus)) throw refuse('the mechanism and the channel binding flag disagree')
    if (bound && (this.#binding === undefined || bindingName !== 'tls-server-end-point'))
      throw refuse('this channel binding is not supported')
    if (gs2.startsWith('y') && this.#binding !== undefined)
      throw refuse('the client thinks we cannot bind channels; someone is in between')
  }

  /** The proof to admit with, and the answer to send once it was found good. */
  close(last: Buffer): { readonly answers: (verifiers: TokenVerifiers) => boolean; readonly final: () => Buffer } {
    if (last.length > maxMessageBytes) throw refuse('the last message is too long')
    const text = last.toString('utf8')
    const cut = text.lastIndexOf(',p=')
    const parts = attributes(text)
    const bound = Buffer.concat([
      Buffer.from(this.#gs2),
      this.#gs2.startsWith('p') ? (this.#binding as Uint8Array) : Buffer.alloc(0),
    ])
    const proof = Buffer.from(parts.get('p') ?? '', 'base64')
    if (cut < 0 || parts.get('r') !== this.#nonce || parts.get('c') !== bound.toString('base64') || proof.length !== 32) {
      throw refuse('the last message does not fit the exchange')
    }
    this.#authMessage = `${this.#clientBare},${this.#serverFirst},${text.slice(0, cut)}`
    return { answers: (verifiers) => this.#answers(verifiers, proof), final: () => this.#final() }
  }

  #answers(verifiers: TokenVerifiers, proof: Buffer): boolean {
    const storedKey = Buffer.from(verifiers.scramSha256.storedKey, 'hex')
    const clientKey = xor(proof, hmac(storedKey, this.#authMessage))
    const good = timingSafeEqual(sha256(clientKey), storedKey)
    if (good) this.#serverKey = Buffer.from(verifiers.scramSha256.serverKey, 'hex')
    return good
  }

  #final(): Buffer {
    if (this.#serverKey === undefined) throw refuse('the proof was not checked')
    return Buffer.from(`v=${hmac(this.#serverKey, this.#authMessage).toString('base64')}`)
  }
}

/** The client's end, towards the target. Throws Unreachable where the server's messages are not good. */
export class ScramClient {
  readonly mechanism: string
  readonly #password: string
  readonly #gs2: string
  readonly #binding: Uint8Array | undefined
  readonly #nonce = randomBytes(18).toString('base64')
  #expected = ''

  constructor(password: string, offered: readonly string[], binding: Uint8Array | undefined) {
    const plus = binding !== undefined && offered.includes(scramPlus)
    if (!plus && !offered.includes(scramPlain)) throw bad(`the target offers only ${offered.join(', ')}`)
    this.mechanism = plus ? scramPlus : scramPlain
    this.#binding = plus ? binding : undefined
    // 'y' tells a server that we could bind but think it cannot (RFC 5802, section 6), so that a stripped -PLUS offer is noticed.
    this.#gs2 = plus ? 'p=tls-server-end-point,,' : binding === undefined ? 'n,,' : 'y,,'
    this.#password = password.normalize('NFKC')
  }

  first(): Buffer {
    return Buffer.from(`${this.#gs2}n=,r=${this.#nonce}`)
  }

  async last(serverFirst: Buffer): Promise<Buffer> {
    const text = serverFirst.toString('utf8')
    const parts = attributes(text)
    const nonce = parts.get('r') ?? ''
    const salt = Buffer.from(parts.get('s') ?? '', 'base64')
    const iterations = Number(parts.get('i'))
    const sane = Number.isInteger(iterations) && iterations > 0 && iterations <= maxIterations
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length || salt.length === 0 || !sane)
      throw bad('its first SASL message is not good')
    const bound = Buffer.concat([Buffer.from(this.#gs2), this.#binding ?? Buffer.alloc(0)]).toString('base64')
    const withoutProof = `c=${bound},r=${nonce}`
    const authMessage = `n=,r=${this.#nonce},${text},${withoutProof}`
    const salted = await promisify(pbkdf2)(this.#password, salt, iterations, 32, 'sha256')
    const clientKey = hmac(salted, 'Client Key')
    const proof = xor(clientKey, hmac(sha256(clientKey), authMessage))
    this.#expected = hmac(hmac(salted, 'Server Key'), authMessage).toString('base64')
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  check(serverFinal: Buffer): void {
    const signature = Buffer.from(attributes(serverFinal.toString('utf8')).get('v') ?? '')
    const expected = Buffer.from(this.#expected)
    if (expected.length === 0 || signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw bad('it does not know the password it asks for')
    }
  }
}

function bad(what: string): Unreachable {
  return new Unreachable('target-login-failed', `SASL with the target failed: ${what}`)
}

/** tls-server-end-point of a certificate: its hash by the hash of its own signature, SHA-256 for MD5 and SHA-1 (RFC 5929, section 4.1). */
export function endPointBinding(certificate: Uint8Array): Buffer | undefined {
  const hash = signatureHash(Buffer.from(certificate))
  return hash === undefined ? undefined : createHash(hash).update(certificate).digest()
}

const hashes: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'sha256',
  '2a864886f70d010105': 'sha256',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d0401': 'sha256',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, ... }, ... } (RFC 5280, section 4.1). */
function signatureHash(der: Buffer): string | undefined {
  const outer = derValue(der, 0)
  const toBeSigned = outer === undefined ? undefined : derValue(der, outer.start)
  const algorithm = toBeSigned === undefined ? undefined : derValue(der, toBeSigned.end)
  const oid = algorithm === undefined ? undefined : derValue(der, algorithm.start)
  return oid === undefined ? undefined : hashes[der.subarray(oid.start, oid.end).toString('hex')]
}

function derValue(der: Buffer, at: number): { readonly start: number; readonly end: number } | undefined {
  const first = der[at + 1]
  if (first === undefined) return undefined
  if (first < 0x80) return { start: at + 2, end: at + 2 + first }
  const size = first & 0x7f
  if (size === 0 || size > 4 || at + 2 + size > der.length) return undefined
  const start = at + 2 + size
  return { start, end: start + der.readUIntBE(at + 2, size) }
}
