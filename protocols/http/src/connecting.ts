// One connection to a target, with TLS where its address asks for it.

import { isIP } from 'node:net'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Misconfigured } from '@sallyport/core'
import type { Session, Target } from '@sallyport/core'
import { offerTls } from '@sallyport/wire'
import type { StoredCredential } from './credential.js'

const tlsWithinMs = 10_000

/** `protocols`: what to agree on in TLS. Throws Unreachable. */
export async function connectTo(
  session: Session,
  stored: StoredCredential,
  protocols: readonly string[] = ['http/1.1'],
): Promise<Socket> {
  const { stream, host } = await session.dial()
  if (!session.target.address.startsWith('https:')) return stream as Socket
  const credential = await stored.current()
  const certificate = credential.kind === 'certificate' ? { cert: credential.certificate, key: credential.privateKey.reveal() } : {}
  const deadline = AbortSignal.any([session.signal, AbortSignal.timeout(tlsWithinMs)])
  return offerTls(
    stream,
    session.target.name,
    { ...tlsOptions(session.target, host), ...certificate, ALPNProtocols: [...protocols] },
    deadline,
  )
}

function tlsOptions(target: Target, host: string): ConnectionOptions {
  if (target.tls === 'off') throw new Misconfigured('tls-off', `target ${target.name} has an https address and tls: off`)
  return {
    host,
    ...(isIP(host) ? {} : { servername: host }),
    ...(target.tlsAuthorities === undefined ? {} : { ca: target.tlsAuthorities }),
    rejectUnauthorized: target.tls === 'verify',
  }
}
