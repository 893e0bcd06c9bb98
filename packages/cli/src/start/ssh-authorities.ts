// Our own authorities of SSH certificates: one for users, one for hosts. Both follow from the installation's secret, so that every node has the same.

import { hkdfSync, randomBytes } from 'node:crypto'
import type { ApiParts } from '@sallyport/api'
import { authorityFrom, certificateType, makeCertificate, readPublicKeyLine } from '@sallyport/certificates'
import type { Authority, PublicKey } from '@sallyport/certificates'
import { Denied, Malformed } from '@sallyport/core'
import { isLive, tokenOption } from '@sallyport/identity'
import type { TokenTable } from '@sallyport/identity'

export interface SshAuthorities {
  readonly users: Authority
  readonly hosts: Authority
}

/** A clock that is late must still take what was made just now. */
const skewMs = 60_000
/** A host's is made anew for each connection. */
const hostMs = 24 * 3_600_000

export function sshAuthorities(secret: Uint8Array): SshAuthorities {
  const seed = (use: string): Uint8Array => new Uint8Array(hkdfSync('sha256', secret, '', `sallyport ssh ${use} authority`, 32))
  return { users: authorityFrom(seed('user')), hosts: authorityFrom(seed('host')) }
}

/** Certificates for the public keys of those who show an access token; each counts as long as that token at most. */
export function certificatesFor(users: Authority, tokens: Pick<TokenTable, 'byId'>): ApiParts['sshCertificate'] {
  return async ({ tokenId, publicKey, ttlMs }) => {
    const record = await tokens.byId(tokenId)
    const now = Date.now()
    if (record === undefined || !isLive(record, now))
      throw new Denied('needs-access-token', 'a certificate is for an access token, not for a JWT; run `sallyport login` first')
    const key = keyOf(publicKey)
    const expiresAt = Math.min(record.expiresAt.getTime(), now + ttlMs)
    const blob = makeCertificate(
      {
        key,
        kind: 'user',
        serial: randomBytes(8).readBigUInt64BE(),
        keyId: `${record.identity} (token ${record.id})`,
        principals: [record.identity],
        validAfter: seconds(now - skewMs),
        validBefore: seconds(expiresAt),
        criticalOptions: { [tokenOption]: record.id },
      },
      users,
    )
    const certificate = `${certificateType(key.type)} ${blob.toString('base64')} ${record.identity}`
    return { certificate, identity: record.identity, expiresAt: new Date(Math.floor(expiresAt / 1000) * 1000) }
  }
}

function keyOf(line: string): PublicKey {
  try {
    return readPublicKeyLine(line)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    throw new Malformed(
      'client',
      'bad-key',
      'not a public key that can be certified; give an Ed25519, ECDSA or RSA (2048 bits or more) .pub file',
    )
  }
}

/** What the gateway shows to clients that trust its authority of hosts. Without principals: it is the gateway under whatever name. */
export function hostCertificate(hosts: Authority, hostKey: string): () => Buffer {
  const key = readPublicKeyLine(hostKey)
  return () => {
    const now = Date.now()
    const validity = { validAfter: seconds(now - hostMs), validBefore: seconds(now + hostMs) }
    return makeCertificate({ key, kind: 'host', serial: 0n, keyId: 'sallyport', principals: [], ...validity }, hosts)
  }
}

function seconds(ms: number): bigint {
  return BigInt(Math.floor(ms / 1000))
}
