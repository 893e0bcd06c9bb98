// The way to a target: connections of its own for each session, so that ending the session cuts them, kept alive between requests.

import { isIP } from 'node:net'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Pool } from 'undici'
import { Misconfigured } from '@sallyport/core'
import type { Session, Target } from '@sallyport/core'
import { offerTls } from '@sallyport/wire'
import type { StoredCredential } from './credential.js'
import { answerWithinMs, maxHeaderBytes, maxUpstreamConnections } from './limits.js'

const tlsWithinMs = 10_000
/** Below the 5 s after which Node's own servers, among others, close a quiet connection. */
const idleUpstreamMs = 4_000

export function openPool(session: Session, stored: StoredCredential): Pool {
  const { target } = session
  return new Pool(new URL(target.address).origin, {
    connections: maxUpstreamConnections,
    pipelining: 1,
    headersTimeout: answerWithinMs,
    bodyTimeout: 0,
    keepAliveTimeout: idleUpstreamMs,
    keepAliveMaxTimeout: 60_000,
    maxHeaderSize: maxHeaderBytes,
    connect: (_options, done) => {
      connectTo(session, stored).then(
        (socket) => done(null, socket),
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error)), null),
      )
    },
  })
}

/** A connection with TLS where the target asks for it. Throws Unreachable. */
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
