// Who a user certificate lets in. One of our own authority stands for the access token it was fetched with, and ends with it; one of another
// authority names identities of the configuration, and only those that this authority may name.

import { BlockList, isIP } from 'node:net'
import { isMadeBy, isValidAt, optionText, readCertificate, readPublicKeyLine } from '@sallyport/certificates'
import type { Certificate, PublicKey } from '@sallyport/certificates'
import { Malformed, matchesAnyName } from '@sallyport/core'
import type { KnownIdentity } from './claims.js'
import { Refusal } from './refusal.js'

/** An authority that is not ours: Vault's, step-ca's, an identity provider's. */
export interface SshAuthority {
  readonly name: string
  /** OpenSSH public key line. */
  readonly publicKey: string
  /** Names it may certify; they take `*`. */
  readonly principals: readonly string[]
}

export interface CertificateAuthorities {
  /** Our own: its certificates name the token they were fetched with. */
  readonly own: PublicKey
  readonly others: readonly SshAuthority[]
}

export type CertifiedLogin =
  | { readonly kind: 'token'; readonly token: string; readonly name: string; readonly expiresAt: Date | undefined }
  | {
      readonly kind: 'configured'
      readonly identity: KnownIdentity
      /** The authority and the serial number. */
      readonly id: string
      readonly expiresAt: Date | undefined
    }

/**
 * Of our own authority: the id of the access token. A critical option, which every other server must refuse (PROTOCOL.certkeys), so that the
 * certificate opens nothing but this gateway, whomever that server trusts.
 */
export const tokenOption = 'token@sallyport.internal'

export interface CertificateCheck {
  /** The name the client said, or ''. */
  readonly user: string
  /** `address:port` of the client's end. */
  readonly address: string
  readonly now: number
  readonly known: (name: string) => KnownIdentity | undefined
}

/** Throws Refusal. */
export function certifiedBy(line: string, authorities: CertificateAuthorities, check: CertificateCheck): CertifiedLogin {
  try {
    const certificate = readCertificate(Buffer.from(line.split(' ')[1] ?? '', 'base64'))
    const own = isMadeBy(certificate, [authorities.own])
    const other = own ? undefined : authorities.others.find((each) => isMadeBy(certificate, [readPublicKeyLine(each.publicKey)]))
    if (!own && other === undefined) throw new Refusal('the certificate is of no authority that is trusted here')
    requireUsable(certificate, own ? [tokenOption] : [], check)
    const expiresAt = dateOf(certificate.validBefore)
    if (other === undefined) return { ...ownToken(certificate, check), expiresAt }
    const identity = namedIn(certificate, other, check)
    return { kind: 'configured', identity, id: `${other.name}:${certificate.serial}`, expiresAt }
  } catch (error) {
    if (error instanceof Malformed) throw new Refusal(error.message)
    throw error
  }
}

/** For users, now, for somebody, from here, and nothing critical in it that is not done here. */
function requireUsable(certificate: Certificate, known: readonly string[], { address, now }: CertificateCheck): void {
  const { kind, keyId, principals, criticalOptions } = certificate
  const named = `certificate ${keyId.slice(0, 64)}`
  if (kind !== 'user') throw new Refusal(`${named} is a host's, not a user's`)
  if (!isValidAt(certificate, now)) throw new Refusal(`${named} is not valid now`)
  // OpenSSH takes such a one for anybody's; nobody means that.
  if (principals.length === 0) throw new Refusal(`${named} names no principal`)
  for (const [option, value] of criticalOptions) {
    if (known.includes(option)) continue
    if (option !== 'source-address')
      throw new Refusal(`${named} has the critical option ${option.slice(0, 64)}, which is not honoured here`)
    if (!isFrom(address, optionText(value))) throw new Refusal(`${named} is for other source addresses`)
  }
}

function ownToken(certificate: Certificate, { user }: CertificateCheck): { kind: 'token'; token: string; name: string } {
  const [name, another] = certificate.principals
  const token = certificate.criticalOptions.get(tokenOption)
  if (name === undefined || another !== undefined || token === undefined)
    throw new Refusal('a certificate of our own that we did not make')
  if (user !== '' && user !== name) throw new Refusal('the certificate is not of this user')
  return { kind: 'token', token: optionText(token), name }
}

function namedIn({ principals, keyId }: Certificate, authority: SshAuthority, { user, known }: CertificateCheck): KnownIdentity {
  const may = principals.filter((name) => matchesAnyName(authority.principals, name) && (user === '' || name === user))
  const found = [...new Set(may)].flatMap((name) => known(name) ?? [])
  const [identity, another] = found
  if (identity === undefined)
    throw new Refusal(`certificate ${keyId.slice(0, 64)} names no identity that ${authority.name} may certify`)
  if (another !== undefined)
    throw new Refusal(`certificate ${keyId.slice(0, 64)} names several identities and the client none of them`)
  return identity
}

/** PROTOCOL.certkeys: addresses, or networks in CIDR, separated by commas. */
function isFrom(address: string, networks: string): boolean {
  const host = address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const list = new BlockList()
  for (const network of networks.split(',')) {
    const [base = '', bits] = network.trim().split('/')
    const family = isIP(base)
    const width = family === 4 ? 32 : 128
    const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
    if (family === 0 || prefix < 0 || prefix > width) throw new Refusal('its source addresses are no addresses')
    // The list would find IPv4 addresses in ::/0 as well, which OpenSSH does not.
    if (family === isIP(host)) list.addSubnet(base, prefix, family === 4 ? 'ipv4' : 'ipv6')
  }
  const family = isIP(host)
  return family !== 0 && list.check(host, family === 4 ? 'ipv4' : 'ipv6')
}

/** Undefined: beyond what a Date can say, which is for ever. */
function dateOf(seconds: bigint): Date | undefined {
  const latest = 8_640_000_000_000n
  return seconds > latest ? undefined : new Date(Number(seconds) * 1000)
}
