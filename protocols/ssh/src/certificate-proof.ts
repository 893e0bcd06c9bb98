// Logins by certificate. The library hands over what it cannot read: the certificate, the signature and what was signed.

import { certificateType, isSignedBy, keyTypeOf, readCertificate, signaturesOf } from '@sallyport/certificates'
import { Malformed } from '@sallyport/core'
import type { Proof } from '@sallyport/core'
import type { PublicKeyAuthContext } from 'ssh2'

/** The type of key that signs where a client logs in by this algorithm; undefined where it is no certificate's, or not a sound one. */
export function certifiedKeyType(algorithm: string): string | undefined {
  return signerOf(algorithm)?.keyType
}

/** PROTOCOL.certkeys: `rsa-sha2-256-cert-v01@openssh.com` signs with SHA-2 by a certificate of type `ssh-rsa-cert-v01@openssh.com`. */
function signerOf(algorithm: string): { readonly keyType: string; readonly format: string } | undefined {
  const rsa = signaturesOf('ssh-rsa').find((format) => certificateType(format) === algorithm)
  if (rsa !== undefined) return { keyType: 'ssh-rsa', format: rsa }
  const keyType = keyTypeOf(algorithm)
  // By its own name RSA would sign with SHA-1.
  return keyType === undefined || keyType === 'ssh-rsa' ? undefined : { keyType, format: keyType }
}

/** `asks`: whether a signature for it would be looked at. Whom it lets in, only a signature may learn. */
export function certificateProof(context: PublicKeyAuthContext): Proof | 'asks' | undefined {
  const signer = signerOf(context.key.algo)
  if (signer === undefined) return undefined
  try {
    const { key } = readCertificate(context.key.data)
    if (key.type !== signer.keyType) return undefined
    const { signature, blob } = context
    if (signature === undefined || blob === undefined) return 'asks'
    if (!isSignedBy(key, blob, signature, signer.format)) return undefined
    return { kind: 'certificate', certificate: `${certificateType(key.type)} ${context.key.data.toString('base64')}` }
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}
