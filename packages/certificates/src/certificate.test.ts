// Certificates that OpenSSH made are read and proved; what was forged, changed or cut is not.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { Malformed } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { certificateType, isMadeBy, isValidAt, keyTypeOf, optionText, readCertificate } from './certificate.js'
import { authorities, certificates, others } from './certificates.fixture.js'
import { string, uint32 } from './fields.js'
import { authorityFrom, makeCertificate } from './make.js'
import { isSignedBy, publicKeyLine, readPublicKey, readPublicKeyLine, signaturesOf, signBy } from './public-key.js'

const blobOf = (line: string): Buffer => Buffer.from(line.split(' ')[1] ?? '', 'base64')
const all = Object.values(authorities).map(readPublicKeyLine)
const now = Date.UTC(2026, 10, 24)

describe('reading', () => {
  it.each(Object.entries(certificates))('%s', (name, line) => {
    const certificate = readCertificate(blobOf(line))
    expect(certificate).toMatchObject({ kind: 'user', serial: 7n, principals: ['mia', 'ops'] })
    expect(certificate.keyId).toMatch(/^mia of e|^mia of rsa/)
    expect(certificateType(certificate.key.type)).toBe(line.split(' ')[0])
    // The plain key in it is a key on its own.
    expect(readPublicKey(certificate.key.blob).type).toBe(certificate.key.type)
    expect(isMadeBy(certificate, all)).toBe(true)
    const own = name.endsWith('ed') ? 'ed' : name.endsWith('ec') ? 'ec' : 'rsa'
    const strangers = Object.entries(authorities).flatMap(([each, text]) => (each === own ? [] : [readPublicKeyLine(text)]))
    expect(isMadeBy(certificate, strangers)).toBe(false)
    expect(isValidAt(certificate, now)).toBe(true)
  })

  it('kinds, times and options', () => {
    const read = (line: string) => readCertificate(blobOf(line))
    expect(read(others.host)).toMatchObject({ kind: 'host', principals: ['web.internal', '10.0.0.5'] })
    expect([isValidAt(read(others.over), now), isValidAt(read(others.early), now)]).toEqual([false, false])
    expect(optionText(read(others.fromTen).criticalOptions.get('source-address') ?? Buffer.alloc(0))).toBe(
      '10.0.0.0/8,127.0.0.1/32,::1/128',
    )
    expect(optionText(read(others.forced).criticalOptions.get('force-command') ?? Buffer.alloc(0))).toBe('/bin/true')
    expect(read(others.forNobody).principals).toEqual([])
    const { validBefore } = read(others.over)
    expect(isValidAt(read(others.over), Number(validBefore) * 1000)).toBe(false)
    expect(isValidAt(read(others.over), Number(validBefore) * 1000 - 1)).toBe(true)
  })

  it('knows types of keys and certificates apart', () => {
    expect(keyTypeOf('ssh-ed25519-cert-v01@openssh.com')).toBe('ssh-ed25519')
    for (const name of [
      'ssh-ed25519',
      'ssh-dss-cert-v01@openssh.com',
      'sk-ssh-ed25519-cert-v01@openssh.com',
      '-cert-v01@openssh.com',
    ])
      expect(keyTypeOf(name)).toBeUndefined()
    expect(() => readCertificate(all[0]?.blob ?? Buffer.alloc(0))).toThrow(Malformed)
  })
})

/** Whether it is read, and made by one of ours: `malformed`, `forged` or `good`. */
function fate(blob: Buffer): 'malformed' | 'forged' | 'good' {
  try {
    return isMadeBy(readCertificate(blob), all) ? 'good' : 'forged'
  } catch (error) {
    if (error instanceof Malformed) return 'malformed'
    throw error
  }
}

describe('what was tampered with', () => {
  it('cut anywhere, or with something after its end, is malformed', () => {
    for (const line of [certificates.ed25519_0_by_ed, certificates.ecdsa_256_by_ec, certificates.rsa_2048_by_rsa]) {
      const blob = blobOf(line)
      for (let length = 0; length < blob.length; length += 1)
        expect(fate(blob.subarray(0, length)), String(length)).toBe('malformed')
      expect(fate(Buffer.concat([blob, Buffer.from([0])]))).toBe('malformed')
    }
  })

  it('with any bit changed, is never good', () => {
    for (const line of [certificates.ed25519_0_by_ed, certificates.ecdsa_521_by_ec, others.fromTen]) {
      const blob = blobOf(line)
      for (let at = 0; at < blob.length; at += 1) {
        const changed = Buffer.from(blob)
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
        expect(fate(changed), `byte ${at}`).not.toBe('good')
      }
    }
  })

  it('random bytes are malformed, and so are lengths that lie', () => {
    for (let count = 0; count < 2_000; count += 1) {
      const noise = randomBytes(count % 300)
      expect(fate(noise)).toBe('malformed')
      const begun = Buffer.concat([string('ssh-ed25519-cert-v01@openssh.com'), noise])
      expect(fate(begun)).toBe('malformed')
    }
    const blob = blobOf(certificates.ed25519_0_by_ed)
    for (let at = 0; at + 4 <= blob.length; at += 1) {
      for (const length of [0, 1, 0x7fffffff, 0xffffffff]) {
        const lying = Buffer.from(blob)
        uint32(length).copy(lying, at)
        if (!lying.equals(blob)) expect(fate(lying)).not.toBe('good')
      }
    }
  })

  it('an authority is a plain key, no certificate, and of SHA-2', () => {
    expect(fate(blobOf(others.bySha1))).toBe('forged')
    const signer = authorityFrom(Buffer.alloc(32, 1))
    const made = makeCertificate(order(), signer)
    expect(isMadeBy(readCertificate(made), [signer.publicKey])).toBe(true)
    expect(fate(made)).toBe('forged')
  })
})

function order() {
  const key = readPublicKeyLine(authorities.ed)
  const times = { validAfter: 0n, validBefore: 2n ** 63n }
  return {
    key,
    kind: 'user' as const,
    serial: 1n,
    keyId: 'mia',
    principals: ['mia'],
    ...times,
    criticalOptions: { 'x@y': 'z' },
    extensions: { 'permit-pty': '', 'a@b': 'c' },
  }
}

describe('making', () => {
  it('gives what reading takes, the same authority each time', () => {
    const [one, two] = [authorityFrom(Buffer.alloc(32, 1)), authorityFrom(Buffer.alloc(32, 1))]
    expect(publicKeyLine(one.publicKey)).toBe(publicKeyLine(two.publicKey))
    for (const line of [...Object.values(authorities), certificates.ecdsa_521_by_ec]) {
      const key = line.includes('cert') ? readCertificate(blobOf(line)).key : readPublicKeyLine(line)
      const read = readCertificate(makeCertificate({ ...order(), key }, one))
      expect(read).toMatchObject({ kind: 'user', serial: 1n, keyId: 'mia', principals: ['mia'] })
      expect(read.key.blob.equals(key.blob)).toBe(true)
      expect([...read.extensions.keys()]).toEqual(['a@b', 'permit-pty'])
      expect(optionText(read.extensions.get('a@b') ?? Buffer.alloc(0))).toBe('c')
      expect(optionText(read.criticalOptions.get('x@y') ?? Buffer.alloc(0))).toBe('z')
      expect(isMadeBy(read, [two.publicKey])).toBe(true)
    }
  })
})

describe('signatures', () => {
  it('made here are good here, for every kind of key', () => {
    const make = { rsa: () => generateKeyPairSync('rsa', { modulusLength: 2048 }), ed: () => generateKeyPairSync('ed25519') }
    const pairs = [
      make.ed(),
      make.rsa(),
      ...['P-256', 'P-384', 'P-521'].map((namedCurve) => generateKeyPairSync('ec', { namedCurve })),
    ]
    const types = ['ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521']
    for (const [index, { publicKey, privateKey }] of pairs.entries()) {
      const key = { type: types[index] ?? '', blob: Buffer.alloc(0), key: publicKey }
      for (const format of signaturesOf(key.type)) {
        // Numbers of a signature are short, or look negative, now and then.
        for (let count = 0; count < 40; count += 1) {
          const text = Buffer.from(`text ${count}`)
          expect(isSignedBy(key, text, signBy(privateKey, format, text), format), format).toBe(true)
        }
      }
    }
  })

  it('count in the format of the key alone', () => {
    const { privateKey, publicKey } = authorityFrom(Buffer.alloc(32, 3))
    const text = Buffer.from('what is signed')
    const raw = sign(null, text, privateKey)
    const good = Buffer.concat([string('ssh-ed25519'), string(raw)])
    expect(isSignedBy(publicKey, text, good)).toBe(true)
    expect(isSignedBy(publicKey, text, good, 'rsa-sha2-256')).toBe(false)
    expect(isSignedBy(publicKey, Buffer.from('another'), good)).toBe(false)
    for (const format of ['ssh-ed25519-cert-v01@openssh.com', 'ssh-rsa', '', 'ecdsa-sha2-nistp256'])
      expect(isSignedBy(publicKey, text, Buffer.concat([string(format), string(raw)]))).toBe(false)
    expect(() => isSignedBy(publicKey, text, raw)).toThrow(Malformed)
  })
})
