// From a request to its caller: a token in the Authorization header, or the console's cookie. Failed attempts are counted by address.

import { Denied, RateLimit, secret } from '@sallyport/core'
import type { Secret } from '@sallyport/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { bearerToken, callerOf } from './caller.js'
import type { Caller } from './caller.js'
import type { ApiParts } from './ports.js'
import { wellFormed } from './problem.js'
import { clearCookie, sentCookie, setCookie, SignIns } from './sign-in.js'
import type { Place } from './sign-in.js'

/** An address may fail so often to prove who it is: 256-bit tokens are not guessed at that pace. */
const FAILURES = { burst: 20, perSecond: 0.5 }
/** No form and no image of another page can send a header of its own; a script of another origin would have to ask first, and is refused. */
const CONSOLE_HEADER = 'sallyport-console'

const signInBody = z.strictObject({ token: z.string().trim().min(1, 'paste an access token').max(16_384) })

interface Shown {
  readonly token: Secret
  /** Out of a cookie that was sealed here: it was good once, so it is no guess. */
  readonly proved: boolean
}

interface SignedIn {
  readonly name: string
  readonly token: Secret
  readonly place: Place
}

export class Authentication {
  readonly #parts: ApiParts
  readonly #signIns: SignIns
  readonly #failures = new RateLimit(FAILURES)

  constructor(parts: ApiParts) {
    this.#parts = parts
    this.#signIns = new SignIns(parts.cookieKey)
  }

  /** Throws Denied. Asks anew each time: a token that was revoked or ran out ends here, in a cookie too. */
  async callerOf(request: FastifyRequest): Promise<Caller> {
    const { authorization, cookie, host } = request.headers
    const sealed = authorization === undefined ? sentCookie(cookie, host) : undefined
    if (sealed !== undefined) {
      requireConsole(request)
      return this.#prove(request, this.#opened(request, sealed))
    }
    // Who shows nothing guesses nothing.
    return this.#prove(request, { token: bearerToken(authorization), proved: false })
  }

  async signIn(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    requireConsole(request)
    const { token } = wellFormed(signInBody, request.body)
    const caller = await this.#prove(request, { token: secret(token), proved: false })
    this.keep(request, reply, { name: caller.name, token: secret(token), place: placeOf(request) })
  }

  /** The browser is signed in with this token, which is good. */
  keep(request: FastifyRequest, reply: FastifyReply, { name, token, place }: SignedIn): void {
    this.#parts.log('info', 'signed in to the console', { identity: name, address: request.ip })
    void reply.header('set-cookie', setCookie(place, this.#signIns.seal(token)))
  }

  signOut(request: FastifyRequest, reply: FastifyReply): void {
    requireConsole(request)
    const sealed = sentCookie(request.headers.cookie, request.headers.host)
    if (sealed !== undefined && this.#signIns.open(sealed) !== undefined) this.#signIns.end(sealed)
    void reply.header('set-cookie', clearCookie(placeOf(request)))
  }

  #opened(request: FastifyRequest, sealed: string): Shown {
    const token = this.#signIns.open(sealed)
    if (token !== undefined) return { token, proved: true }
    this.#failures.take(request.ip, Date.now())
    throw new Denied('unauthenticated', 'you are signed out; sign in again')
  }

  async #prove(request: FastifyRequest, { token, proved }: Shown): Promise<Caller> {
    const loopback = /^(?:127\.|::1$|::ffff:127\.)/.test(request.ip)
    const client = { tls: request.protocol === 'https', loopback, address: addressOf(request) }
    if (proved) return callerOf(token, { ...this.#parts, beforeProof: () => {} }, client)
    try {
      return await callerOf(token, { ...this.#parts, beforeProof: () => this.#refuseGuesser(request) }, client)
    } catch (error) {
      if (error instanceof Denied) this.#failures.take(request.ip, Date.now())
      throw error
    }
  }

  #refuseGuesser(request: FastifyRequest): void {
    if (this.#failures.waitSeconds(request.ip, Date.now()) > 0)
      throw new Denied('too-many-requests', 'too many failed attempts; wait a minute')
  }
}

/** Signing in and out. The body of a stranger is short. */
export function addSignIn(app: FastifyInstance, authentication: Authentication): void {
  app.post('/api/v1/sign-in', { bodyLimit: 20_000 }, async (request, reply) => {
    await authentication.signIn(request, reply)
    return { signedIn: true }
  })
  app.post('/api/v1/sign-out', { bodyLimit: 1000 }, async (request, reply) => {
    authentication.signOut(request, reply)
    return { signedIn: false }
  })
}

function requireConsole(request: FastifyRequest): void {
  if (request.headers[CONSOLE_HEADER] === undefined)
    throw new Denied('not-the-console', `only the console may call with its cookie; it sends the header ${CONSOLE_HEADER}`)
}

/** `address:port` of the caller's end. */
export function addressOf({ ip, socket }: FastifyRequest): string {
  return `${ip}:${socket.remotePort ?? 0}`
}

/** Behind a proxy that ends TLS, the page's own origin tells that the browser came by TLS. */
export function placeOf(request: FastifyRequest): Place {
  const secure = request.protocol === 'https' || request.headers.origin?.startsWith('https://') === true
  return { secure, host: request.headers.host }
}
