// The operators' HTTP API: one fastify server, every route of the tables below under /api/v1, each guarded in the same order:
// our host, our origin, not too often, who, may they, well formed. The console's pages stand beside it, and use nothing else.

import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Readable } from 'node:stream'
import type { ServerOptions } from 'node:https'
import { Denied, Misconfigured, RateLimit } from '@sallyport/core'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { asLines, goneSignal, stackOf } from './answer.js'
import { addSignIn, Authentication } from './authentication.js'
import { mayReadEverything } from './caller.js'
import type { Caller } from './caller.js'
import { isOurHost, isOurOrigin } from './host.js'
import { addLogin } from './login.js'
import type { ApiParts } from './ports.js'
import { addProviderSignIn } from './provider-sign-in.js'
import { problem, problemOf } from './problem.js'
import type { Problem } from './problem.js'
import { isLines } from './route.js'
import type { Route } from './route.js'
import { accessRoutes } from './routes/access.js'
import { operationRoutes } from './routes/operation.js'
import { reviewRoutes } from './routes/reviews.js'
import { sessionRoutes } from './routes/sessions.js'
import { addSite, API_POLICY, readSite } from './site.js'

const ROUTES: readonly Route[] = [...accessRoutes, ...operationRoutes, ...reviewRoutes, ...sessionRoutes]

/** A decision or a question fits; definitions have a limit of their own. */
const BODY_LIMIT_BYTES = 64 * 1024
/** An address may make so many calls; a person clicks a few a second, a script that watches a few dozen. */
const CALLS = { burst: 200, perSecond: 50 }
const REQUEST_TIMEOUT_MS = 30_000
/** A caller whose token is revoked while a long answer runs gets no more of it after this time. */
const PROVED_FOR_MS = 10_000

/** For every answer; pages and their files have some of their own. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': API_POLICY,
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

export interface Api {
  /** Answers the address with the port the system chose, as a URL. */
  listen(address: { readonly host: string; readonly port: number }): Promise<string>
  stop(): Promise<void>
}

export interface ApiOptions {
  /** Serves HTTPS with these; plain HTTP where absent. */
  readonly tls?: { readonly key: string; readonly cert: string }
}

export function createApi(parts: ApiParts, options: ApiOptions = {}): Api {
  const app = buildApi(parts, options)
  return {
    listen: async ({ host, port }) => {
      await app.listen({ host, port }).catch((cause: unknown) => {
        const taken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
        const why = taken ? 'something else listens there already' : String(cause)
        throw new Misconfigured('cannot-listen', `the console cannot listen on ${host}:${port}: ${why}`, { cause })
      })
      const bound = app.server.address()
      if (bound === null || typeof bound === 'string') throw new Misconfigured('no-address', 'the console has no address')
      const { address, family, port: actual } = bound
      return `${options.tls === undefined ? 'http' : 'https'}://${family === 'IPv6' ? `[${address}]` : address}:${actual}`
    },
    stop: () => app.close(),
  }
}

/** The server without a listener: tests put requests straight in. */
export function buildApi(parts: ApiParts, options: ApiOptions = {}): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    serverFactory: (listener) =>
      options.tls === undefined ? createServer(listener) : createTlsServer(tlsOptions(options.tls), listener),
  })
  const calls = new RateLimit(CALLS)
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(HEADERS)
    if (!isOurHost(request.headers.host, parts.hosts)) {
      return refuse(reply, problem(421, 'wrong-host', 'this name is not one of this gateway; call it by its address'))
    }
    if (!isOurOrigin(request.headers.origin, request.headers.host)) {
      return refuse(reply, problem(403, 'wrong-origin', 'pages of other sites may not call this gateway'))
    }
    const waitSeconds = calls.take(request.ip, Date.now())
    if (waitSeconds > 0)
      return refuse(reply.header('retry-after', waitSeconds), problem(429, 'too-many-requests', 'too many requests; wait'))
    return undefined
  })
  app.setNotFoundHandler((_request, reply) => refuse(reply, problem(404, 'not-found', 'there is nothing here')))
  app.setErrorHandler((error, request, reply) => refuse(reply, asProblem(error, request, parts)))
  addOpenRoutes(app, parts)
  const authentication = new Authentication(parts)
  addSignIn(app, authentication)
  addLogin(app, parts)
  addProviderSignIn(app, parts, authentication)
  for (const each of ROUTES) addRoute(app, each, parts, authentication)
  if (parts.site !== undefined) addSite(app, readSite(parts.site))
  return app
}

function tlsOptions(tls: NonNullable<ApiOptions['tls']>): ServerOptions {
  return { key: tls.key, cert: tls.cert, minVersion: 'TLSv1.2' }
}

/** Where a review's notice points; the commands do the rest. It tells nothing that is not in the address itself. */
const REVIEW_HINT = (id: string): string =>
  `Review ${id}\n\nLook at it:   sallyport reviews show ${id}\nDecide:       sallyport reviews approve ${id} --reason "..."\n              sallyport reviews deny ${id} --reason "..."\n`

/** What anybody may know: whether the gateway works, and the public certificate of its authority. */
function addOpenRoutes(app: FastifyInstance, parts: ApiParts): void {
  app.get('/api/v1/health', async (_request, reply) => {
    const healthy = await parts.healthy()
    return reply.status(healthy ? 200 : 503).send({ status: healthy ? 'ok' : 'degraded' })
  })
  // The console has a page for it.
  if (parts.site === undefined)
    app.get<{ Params: { id: string } }>('/reviews/:id', async (request, reply) => {
      const { id } = request.params
      if (!/^[a-z0-9]{1,32}$/.test(id)) return refuse(reply, problem(404, 'not-found', 'there is nothing here'))
      return reply.type('text/plain; charset=utf-8').send(REVIEW_HINT(id))
    })
  app.get('/api/v1/ssh-host-key', async (_request, reply) => reply.type('text/plain').send(`${parts.sshHostKey}\n`))
  app.get('/api/v1/ssh-authority', async () => parts.sshAuthority)
  app.get('/api/v1/authority', async (_request, reply) => reply.type('application/x-pem-file').send(parts.authorityPem))
}

function addRoute(app: FastifyInstance, route: Route, parts: ApiParts, authentication: Authentication): void {
  const callers = new WeakMap<FastifyRequest, Caller>()
  app.route({
    method: route.method,
    url: `/api/v1${route.path}`,
    ...(route.bodyLimitBytes === undefined ? {} : { bodyLimit: route.bodyLimitBytes }),
    // Before the body is read: a stranger's megabytes are not parsed.
    preParsing: async (request) => {
      callers.set(request, await authentication.callerOf(request))
    },
    handler: async (request, reply) => {
      const caller = callers.get(request)
      if (caller === undefined) throw new Denied('unauthenticated', 'show an access token')
      permit(route, caller)
      const signal = goneSignal(reply)
      const given = { params: request.params, query: request.query, body: request.body ?? {} }
      const answer = await route.answer(given, { caller, signal }, parts)
      if (!isLines(answer)) return answer
      const still = stillProved(() => authentication.callerOf(request))
      return reply.type('application/x-ndjson').send(Readable.from(asLines(answer.lines, signal, parts, still)))
    },
  })
}

function permit(route: Route, caller: Caller): void {
  if (route.may === 'proved' || caller.kind === 'admin') return
  if (route.may === 'operator' && mayReadEverything(caller)) return
  const needed = route.may === 'admin' ? 'the admin token' : 'the admin token, or a member of a group of operators'
  throw new Denied('not-allowed', `${caller.name} may not do this; it takes ${needed}`)
}

/** Asks again who calls, but not more often than needed; throws Denied once they are nobody. */
function stillProved(prove: () => Promise<unknown>): () => Promise<void> {
  let provedAt = performance.now()
  return async () => {
    if (performance.now() - provedAt < PROVED_FOR_MS) return
    await prove()
    provedAt = performance.now()
  }
}

function asProblem(error: unknown, request: FastifyRequest, parts: ApiParts): Problem {
  const known = problemOf(error) ?? fastifyProblem(error)
  if (known !== undefined) return known
  parts.log('error', 'a bug in the API', { method: request.method, route: request.routeOptions.url, stack: stackOf(error) })
  return problem(500, 'internal', 'something went wrong here; see the log of the gateway')
}

/** What fastify itself refuses: a body too long, of a wrong type, or not JSON. */
function fastifyProblem(error: unknown): Problem | undefined {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  if (typeof status !== 'number' || status < 400 || status >= 500) return undefined
  return problem(status, 'bad-request', error instanceof Error ? error.message : 'bad request')
}

function refuse(reply: FastifyReply, what: Problem): FastifyReply {
  if (what.status === 401) void reply.header('www-authenticate', 'Bearer')
  return reply.status(what.status).type('application/problem+json').send(JSON.stringify(what))
}
