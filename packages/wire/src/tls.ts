// TLS put on a connection that began without it, from either end.

import { connect, TLSSocket } from 'node:tls'
import type { ConnectionOptions, SecureContext } from 'node:tls'
import type { Duplex } from 'node:stream'
import { Malformed, Unreachable } from '@sallyport/core'

/** We are the server. Resolves once the handshake is done; `alpn` lists what we speak, and `requireAlpn` refuses a client that names nothing. */
export function acceptTls(
  stream: Duplex,
  options: {
    readonly context: SecureContext
    readonly alpn: readonly string[]
    readonly requireAlpn: boolean
    readonly deadline: AbortSignal
    /** A context for the name that the client asks for, where it is not the usual one. */
    readonly contextFor?: (name: string) => SecureContext | undefined
  },
): Promise<TLSSocket> {
  const { contextFor } = options
  const secured = new TLSSocket(stream, {
    isServer: true,
    secureContext: options.context,
    ALPNProtocols: [...options.alpn],
    requestCert: false,
    ...(contextFor === undefined
      ? {}
      : {
          SNICallback: (name: string, done: (error: Error | null, context?: SecureContext) => void) =>
            done(null, contextFor(name) ?? options.context),
        }),
  })
  return handshake(
    secured,
    'secure',
    options.deadline,
    (cause) => new Malformed('client', 'tls-failed', 'the TLS handshake failed', { cause }),
  ).then((ready) => {
    // Only a tls.Server says so; without it Node's HTTP/2 waits for a handshake that is over.
    Object.assign(ready, { secureConnecting: false })
    if (options.requireAlpn && !ready.alpnProtocol) {
      ready.destroy()
      throw new Malformed('client', 'tls-no-alpn', `a direct TLS connection must offer ALPN ${options.alpn.join(', ')}`)
    }
    return ready
  })
}

/** We are the client of the target. Rejects with Unreachable where the certificate or the handshake is not good. */
export function offerTls(
  stream: Duplex,
  target: string,
  options: Omit<ConnectionOptions, 'socket'>,
  deadline: AbortSignal,
): Promise<TLSSocket> {
  const secured = connect({ ...options, socket: stream })
  return handshake(
    secured,
    'secureConnect',
    deadline,
    (cause) =>
      new Unreachable(
        'upstream-tls-failed',
        `TLS with target ${target} failed: ${cause instanceof Error ? cause.message : 'closed'}`,
        {
          cause,
        },
      ),
  )
}

function handshake(
  secured: TLSSocket,
  ready: string,
  deadline: AbortSignal,
  failure: (cause: unknown) => Error,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const done = (act: () => void): void => {
      secured.off(ready, ok).off('error', bad).off('close', bad)
      deadline.removeEventListener('abort', late)
      act()
    }
    const ok = (): void => done(() => resolve(secured))
    const bad = (cause?: unknown): void =>
      done(() => {
        secured.on('error', () => {})
        secured.destroy()
        reject(failure(cause))
      })
    const late = (): void => bad(deadline.reason)
    secured.once(ready, ok).once('error', bad).once('close', bad)
    deadline.addEventListener('abort', late)
  })
}
