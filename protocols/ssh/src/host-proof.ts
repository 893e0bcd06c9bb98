// What a target must show to be the one it should be: the pinned host key, or a certificate for its key by the authority that is configured.

import {
  certificateType,
  isMadeBy,
  isValidAt,
  readCertificate,
  readPublicKeyLine,
  sameBytes,
  signaturesOf,
} from '@sallyport/certificates'
import type { PublicKey } from '@sallyport/certificates'
import { Malformed, matchesAnyName } from '@sallyport/core'
import type { Target } from '@sallyport/core'

/** `certified`: the key that the certificate is about, which must prove itself next. */
type Shown = { readonly kind: 'pinned' } | { readonly kind: 'certified'; readonly key: PublicKey } | { readonly kind: 'stranger' }

export interface HostProof {
  /** What the target is asked for, what is best first; [] where certificates alone count. */
  readonly plain: readonly string[]
  readonly certified: readonly string[]
  /** `shown`: what the target shows in the key exchange. */
  judge(shown: Buffer, nowMs: number): Shown
}

/** RSA ones the library cannot take: it holds the name of the certificate against the name of the signature. */
const certifiable = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521']

/** Undefined: there is nothing to hold the target to. */
export function hostProofOf(target: Target): HostProof | undefined {
  const pinned = keyOf(target.hostKey)
  const authority = keyOf(target.hostAuthority)
  if (pinned === undefined && authority === undefined) return undefined
  const host = target.address.slice(0, target.address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return {
    plain: pinned === undefined ? [] : signaturesOf(pinned.type),
    certified: authority === undefined ? [] : certifiable.map(certificateType),
    judge: (shown, nowMs) => {
      if (pinned !== undefined && sameBytes(shown, pinned.blob)) return { kind: 'pinned' }
      const key = authority === undefined ? undefined : certifiedKey(shown, authority, host, nowMs)
      return key === undefined ? { kind: 'stranger' } : { kind: 'certified', key }
    },
  }
}

function keyOf(line: string | undefined): PublicKey | undefined {
  if (line === undefined) return undefined
  try {
    return readPublicKeyLine(line)
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

/** A host's certificate, by this authority, for this name, now, without anything critical: hosts have no critical options (PROTOCOL.certkeys). */
function certifiedKey(shown: Buffer, authority: PublicKey, host: string, nowMs: number): PublicKey | undefined {
  try {
    const certificate = readCertificate(shown)
    const { kind, principals, criticalOptions, key } = certificate
    const fits = kind === 'host' && criticalOptions.size === 0 && matchesAnyName(principals, host)
    return fits && isValidAt(certificate, nowMs) && isMadeBy(certificate, [authority]) ? key : undefined
  } catch (error) {
    // A plain key, or nothing that can be read.
    if (error instanceof Malformed) return undefined
    throw error
  }
}
