// The gateway's own certificate authority and the leaf it shows, made once and kept. The certificate's structure is built with forge's ASN.1
// (RFC 5280, section 4.1); keys and signatures are node:crypto's, since forge knows no elliptic curves.

import { createHash, generateKeyPairSync, randomBytes, sign, createPrivateKey, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import forge from 'node-forge'
import { Misconfigured, Remembered } from '@sallyport/core'
import type { GatewayTls } from '@sallyport/core'

const { asn1 } = forge
const day = 24 * 60 * 60 * 1000
const authorityDays = 3650
/** Clients (Apple's, for one) refuse leaves that live longer than 398 days. */
const leafDays = 397
const renewDays = 30
/** Hosts of targets; each context costs some tens of kilobytes. */
const maxMinted = 1_000

const ecdsaWithSha256 = '1.2.840.10045.4.3.2'

interface Made {
  readonly certificatePem: string
  readonly keyPem: string
}

export interface KeptTls extends GatewayTls {
  /** PEM of the authority that clients trust (`sallyport ca`); the operator's own chain where one was given. */
  readonly authorityPem: string
}

/** Opens the authority and leaf in `directory`, making what is missing or about to expire. `names`: host names and addresses to answer for. */
export function gatewayTls(directory: string, names: readonly string[], own?: { certificatePem: string; keyPem: string }): KeptTls {
  if (own !== undefined) return opened(own.certificatePem, own.keyPem, own.certificatePem)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const authority = kept(directory, 'authority', () => makeAuthority())
  const wanted = [...new Set(['localhost', '127.0.0.1', '::1', ...names])].sort()
  const fits = (leaf: Made): boolean => stillGood(leaf, authority, wanted)
  const leaf = kept(directory, 'gateway', () => makeLeaf(authority, wanted), fits)
  return {
    ...opened(leaf.certificatePem + authority.certificatePem, leaf.keyPem, authority.certificatePem),
    contextFor: minter(authority),
  }
}

/** Contexts for the hosts a forward proxy answers for, each made at its first use and again before its certificate ends. */
function minter(authority: Made): (host: string) => SecureContext {
  const made = new Remembered<string, { readonly context: SecureContext; readonly until: number }>({
    entries: maxMinted,
    weight: maxMinted,
  })
  return (host) => {
    const known = made.get(host)
    if (known !== undefined && known.until > Date.now()) return known.context
    const leaf = makeLeaf(authority, [host])
    const { context } = opened(leaf.certificatePem + authority.certificatePem, leaf.keyPem, authority.certificatePem)
    made.set(host, { context, until: Date.now() + (leafDays - renewDays) * day }, 1)
    return context
  }
}

function opened(chainPem: string, keyPem: string, authorityPem: string): KeptTls {
  try {
    const context = createSecureContext({ cert: chainPem, key: keyPem, minVersion: 'TLSv1.2' })
    return { context, certificate: new X509Certificate(chainPem).raw, authorityPem }
  } catch (cause) {
    throw new Misconfigured('tls-certificate', 'the TLS certificate and key do not open; both must be PEM and belong together', {
      cause,
    })
  }
}

function kept(directory: string, name: string, make: () => Made, fits: (made: Made) => boolean = () => true): Made {
  const certificateFile = join(directory, `${name}.crt`)
  const keyFile = join(directory, `${name}.key`)
  if (existsSync(certificateFile) && existsSync(keyFile)) {
    const found = { certificatePem: readFileSync(certificateFile, 'utf8'), keyPem: readFileSync(keyFile, 'utf8') }
    if (fits(found)) return found
  }
  const made = make()
  replaceFile(keyFile, made.keyPem, 0o600)
  replaceFile(certificateFile, made.certificatePem, 0o644)
  return made
}

function replaceFile(file: string, text: string, mode: number): void {
  const fresh = `${file}.new`
  writeFileSync(fresh, text, { mode })
  chmodSync(fresh, mode)
  renameSync(fresh, file)
}

function stillGood(leaf: Made, authority: Made, names: readonly string[]): boolean {
  const certificate = new X509Certificate(leaf.certificatePem)
  const issuer = new X509Certificate(authority.certificatePem)
  const untilMs = Date.parse(certificate.validTo) - Date.now()
  const covers = names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined)
  return covers && untilMs > renewDays * day && certificate.verify(issuer.publicKey)
}

function makeAuthority(): Made {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = `Sallyport gateway authority ${randomBytes(4).toString('hex')}`
  const extensions = [
    extension('2.5.29.19', true, sequence(boolean(true), integer(Buffer.from([0])))),
    extension('2.5.29.15', true, bits(Buffer.from([0x06]), 1)),
    extension('2.5.29.14', false, octets(keyIdentifier(keys.publicKey))),
  ]
  return issue({
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    privateKey: keys.privateKey,
    signer: keys.privateKey,
    days: authorityDays,
    extensions,
  })
}

function makeLeaf(authority: Made, names: readonly string[]): Made {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = new X509Certificate(authority.certificatePem)
  const alternatives = names.map((name) =>
    isIP(name) ? tagged(7, addressBytes(name)) : tagged(2, Buffer.from(name, 'latin1').toString('latin1')),
  )
  const extensions = [
    extension('2.5.29.19', true, sequence()),
    extension('2.5.29.15', true, bits(Buffer.from([0x80]), 7)),
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', false, sequence(...alternatives)),
    extension('2.5.29.35', false, sequence(tagged(0, keyIdentifier(issuer.publicKey)))),
  ]
  return issue({
    subject: names.find((name) => !isIP(name)) ?? 'localhost',
    issuer: commonName(issuer),
    publicKey: keys.publicKey,
    privateKey: keys.privateKey,
    signer: createPrivateKey(authority.keyPem),
    days: leafDays,
    extensions,
  })
}

interface Issue {
  readonly subject: string
  readonly issuer: string
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  readonly signer: KeyObject
  readonly days: number
  readonly extensions: readonly forge.asn1.Asn1[]
}

function issue(to: Issue): Made {
  const serial = randomBytes(16)
  serial[0] = ((serial[0] as number) & 0x3f) | 0x40
  const algorithm = sequence(oid(ecdsaWithSha256))
  const spki = asn1.fromDer(forge.util.createBuffer(binary(to.publicKey.export({ type: 'spki', format: 'der' }))))
  const toBeSigned = sequence(
    asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, [integer(Buffer.from([2]))]),
    integer(serial),
    algorithm,
    distinguishedName(to.issuer),
    sequence(time(Date.now() - day), time(Date.now() + to.days * day)),
    distinguishedName(to.subject),
    spki,
    asn1.create(asn1.Class.CONTEXT_SPECIFIC, 3, true, [sequence(...to.extensions)]),
  )
  const signature = sign('sha256', der(toBeSigned), to.signer)
  const certificate = der(sequence(toBeSigned, algorithm, bits(signature, 0)))
  const base64 = certificate.toString('base64').replace(/.{1,64}/g, '$&\n')
  return {
    certificatePem: `-----BEGIN CERTIFICATE-----\n${base64}-----END CERTIFICATE-----\n`,
    keyPem: to.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('binary')
const der = (value: forge.asn1.Asn1): Buffer => Buffer.from(asn1.toDer(value).getBytes(), 'binary')

function universal(type: number, constructed: boolean, value: string | forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, constructed, value)
}

const sequence = (...parts: forge.asn1.Asn1[]): forge.asn1.Asn1 => universal(asn1.Type.SEQUENCE, true, parts)
const oid = (dotted: string): forge.asn1.Asn1 => universal(asn1.Type.OID, false, asn1.oidToDer(dotted).getBytes())
const integer = (bytes: Buffer): forge.asn1.Asn1 => universal(asn1.Type.INTEGER, false, binary(bytes))
const boolean = (value: boolean): forge.asn1.Asn1 => universal(asn1.Type.BOOLEAN, false, value ? '\xff' : '\x00')
const octets = (bytes: Buffer): forge.asn1.Asn1 => universal(asn1.Type.OCTETSTRING, false, binary(bytes))
const bits = (bytes: Buffer, unused: number): forge.asn1.Asn1 =>
  universal(asn1.Type.BITSTRING, false, String.fromCharCode(unused) + binary(bytes))

function tagged(tag: number, value: Buffer | string): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, typeof value === 'string' ? value : binary(value))
}

/** GeneralizedTime from 2050 on, UTCTime before (RFC 5280, section 4.1.2.5); our dates are all before. */
function time(atMs: number): forge.asn1.Asn1 {
  return universal(asn1.Type.UTCTIME, false, asn1.dateToUtcTime(new Date(atMs)))
}

function distinguishedName(name: string): forge.asn1.Asn1 {
  return sequence(universal(asn1.Type.SET, true, [sequence(oid('2.5.4.3'), universal(asn1.Type.UTF8, false, name))]))
}

function extension(id: string, critical: boolean, value: forge.asn1.Asn1): forge.asn1.Asn1 {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(der(value)))
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
}

function commonName(certificate: X509Certificate): string {
  return certificate.subject.replace(/^CN=/, '')
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
  return Buffer.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]))
}
