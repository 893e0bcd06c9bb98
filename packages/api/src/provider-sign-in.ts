// Signing in to the console at an identity provider: the browser is sent there, and comes back with a code that only the browser which was
// sent off can use. What it is signed in with then is an access token, as if the person had pasted one.

import { Denied } from '@sallyport/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Authentication } from './authentication.js'
import { addressOf, placeOf } from './authentication.js'
import type { ApiParts } from './ports.js'
import { sentLoginCookie, setLoginCookie } from './sign-in.js'
import type { Place } from './sign-in.js'

/** Below it the browser comes back; the provider knows it as a redirect address of the client. */
const BACK = '/api/v1/sign-in/back'

export function addProviderSignIn(app: FastifyInstance, parts: ApiParts, authentication: Authentication): void {
  const { logins, log } = parts
  // A page that is gone to tells no origin: behind a proxy that ends TLS, the address the browser comes back to tells that it has TLS.
  const place = (request: FastifyRequest): Place => {
    const { secure, host } = placeOf(request)
    return { secure: secure || parts.consoleAddress().startsWith('https://'), host }
  }
  const tell = (request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply => {
    if (!(error instanceof Denied)) throw error
    log('info', 'a sign-in to the console failed', { address: request.ip, reason: error.message })
    // A page of plain text: nothing in it can be markup.
    return reply
      .status(403)
      .type('text/plain; charset=utf-8')
      .send(`You are not signed in: ${error.message}\n\nTry again: ${parts.consoleAddress()}/sign-in\n`)
  }
  app.get<{ Params: { provider: string } }>('/api/v1/sign-in/with/:provider', async (request, reply) => {
    try {
      const begun = await logins.browser(request.params.provider, `${parts.consoleAddress()}${BACK}`, addressOf(request))
      return await reply.header('set-cookie', setLoginCookie(place(request), begun.login)).redirect(begun.url)
    } catch (error) {
      return tell(request, reply, error)
    }
  })
  app.get(BACK, async (request, reply) => {
    try {
      const login = sentLoginCookie(request.headers.cookie, place(request))
      if (login === undefined) throw new Denied('login-over', 'this browser did not begin a sign-in, or took too long')
      const { token, record } = await logins.finish(login, request.url.slice(request.url.indexOf('?') + 1), addressOf(request))
      authentication.keep(request, reply, { name: record.identity, token, place: place(request) })
      return await reply.header('set-cookie', setLoginCookie(place(request), '')).redirect('/')
    } catch (error) {
      return tell(request, reply, error)
    }
  })
}
