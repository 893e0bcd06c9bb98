// How commands talk to the running gateway: which one, as whom, and plain HTTP with JSON. `node:http` because it loads at once.

import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Denied, Misconfigured, Unreachable, secret } from '@sallyport/core'
import type { Secret } from '@sallyport/core'
import { announced, homeOf } from '../home.js'
import { keptLogin } from './kept-login.js'
import type { KeptLogin } from './kept-login.js'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface GatewayClient {
  readonly url: string
  readonly token: Secret | undefined
  /** PEM of the authority whose certificates are trusted; absent: the system's. */
  readonly authority: string | undefined
  /** The answer as JSON. Throws Denied with the gateway's own words, or Unreachable. */
  call<T = unknown>(method: Method, path: string, body?: unknown): Promise<T>
  /** An answer that comes line by line; ends when `signal` says so. With a body: to a POST. */
  lines<T>(path: string, signal?: AbortSignal, body?: unknown): AsyncGenerator<T>
  text(path: string): Promise<string>
}

interface Place {
  readonly url: URL
  readonly token: Secret | undefined
  readonly authority: string | undefined
  readonly hint: string
  /** What to do where the gateway takes the caller for nobody; absent where the token was given by hand. */
  readonly loginHint: string | undefined
}

/** Nothing the gateway answers at once is longer; lists are cut by their own limits. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024
/** `verify --all` of a large record takes minutes; a gateway that hangs must not hang a script for ever. */
const ANSWER_WITHIN_MS = 30 * 60_000
const CONNECT_WITHIN_MS = 10_000

/** Throws Unreachable where no gateway is known to run, and Misconfigured for an address it will not use. */
export function openClient(env: Readonly<Record<string, string | undefined>>, asWhom?: Secret): GatewayClient {
  const place = asWhom === undefined ? findGateway(env) : { ...findGateway(env), token: asWhom, loginHint: undefined }
  return {
    url: place.url.origin,
    token: place.token,
    authority: place.authority,
    call: async <T>(method: Method, path: string, body?: unknown): Promise<T> => {
      return parsed<T>(await textOf(await send(place, method, path, body)))
    },
    lines: (path, signal, body) => linesOf(place, path, signal, body),
    text: async (path) => textOf(await send(place, 'GET', path, undefined)),
  }
}

function findGateway(env: Readonly<Record<string, string | undefined>>): Place {
  const given = env['SALLYPORT_TOKEN']
  const token = given === undefined || given === '' ? undefined : secret(given)
  const authorityFile = env['SALLYPORT_CA']
  const written = env['SALLYPORT_URL']
  if (written !== undefined && written !== '') {
    const url = usable(written)
    const kept = keptLogin(env, url.origin)
    const authority = authorityFile === undefined ? kept?.authority : readIfThere(authorityFile)
    const hint = 'check SALLYPORT_URL, and that the gateway runs'
    return { url, authority, hint, ...asLoggedIn(token, kept, url) }
  }
  const home = homeOf(env)
  const announcement = announced(home)
  const hint = `start one with \`sallyport start\`, or set SALLYPORT_HOME or SALLYPORT_URL`
  if (announcement === undefined) throw new Unreachable('gateway-not-running', `no gateway runs from ${home.directory}; ${hint}`)
  const url = usable(announcement.url)
  const kept = keptLogin(env, url.origin)
  const admin = readIfThere(home.adminToken)?.trim()
  // Whoever logged in here is not the admin again because that login ended.
  const own = token ?? (kept !== undefined || admin === undefined || admin === '' ? undefined : secret(admin))
  return { url, authority: readIfThere(authorityFile ?? join(home.tls, 'authority.crt')), hint, ...asLoggedIn(own, kept, url) }
}

function asLoggedIn(token: Secret | undefined, kept: KeptLogin | undefined, { origin }: URL): Pick<Place, 'token' | 'loginHint'> {
  if (token !== undefined) return { token, loginHint: undefined }
  if (kept === undefined)
    return { token, loginHint: `nobody is logged in at ${origin}; run \`sallyport login\`, or set SALLYPORT_TOKEN` }
  const live = Date.parse(kept.expiresAt) > Date.now()
  const loginHint = `your login at ${origin} ${live ? 'does not count any more' : `ended at ${kept.expiresAt}`}; run \`sallyport login\``
  return { token: live ? secret(kept.token) : undefined, loginHint }
}

/** A token in clear over a network is a token given away. */
function usable(written: string): URL {
  let url: URL
  try {
    url = new URL(written)
  } catch {
    throw new Misconfigured('bad-url', 'SALLYPORT_URL is not a web address; write https://host:port')
  }
  const loopback = url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.')
  if (url.protocol === 'https:' || (url.protocol === 'http:' && loopback)) return url
  throw new Misconfigured('bad-url', `${url.origin} would carry the token in clear; use https`)
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function send(place: Place, method: Method, path: string, body: unknown, signal?: AbortSignal): Promise<IncomingMessage> {
  const payload = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    accept: 'application/json, application/x-ndjson',
    ...(place.token === undefined ? {} : { authorization: `Bearer ${place.token.reveal()}` }),
    ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
  }
  const options = { method, headers, timeout: ANSWER_WITHIN_MS, ...(signal === undefined ? {} : { signal }) }
  const url = new URL(`/api/v1${path}`, place.url)
  const secured = url.protocol === 'https:'
  return new Promise((resolve, reject) => {
    const request = secured
      ? httpsRequest(url, { ...options, ...(place.authority === undefined ? {} : { ca: place.authority }) })
      : httpRequest(url, options)
    const late = setTimeout(() => request.destroy(new Error('no connection in time')), CONNECT_WITHIN_MS)
    // A connection that is used again was made before, and says so no second time.
    request.once('socket', (socket) => {
      if (request.reusedSocket) clearTimeout(late)
      else socket.once(secured ? 'secureConnect' : 'connect', () => clearTimeout(late))
    })
    request.once('timeout', () => request.destroy(new Error('no answer in time')))
    request.once('error', (error) => {
      clearTimeout(late)
      reject(signal?.aborted === true ? error : unreachable(place, error))
    })
    request.once('response', (response) => {
      clearTimeout(late)
      if ((response.statusCode ?? 500) < 400) resolve(response)
      else void textOf(response).then((text) => reject(refusal(response.statusCode ?? 500, text, place)), reject)
    })
    request.end(payload)
  })
}

function unreachable(place: Place, error: Error): Unreachable {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.message
  if (/CERT|SIGNED/.test(code)) {
    const message = `the certificate of ${place.url.origin} is not trusted (${code}); set SALLYPORT_CA to a file with the output of \`sallyport ca\``
    return new Unreachable('gateway-not-trusted', message, { cause: error })
  }
  const why = code === 'ECONNREFUSED' ? 'nothing listens there' : code
  return new Unreachable('gateway-not-running', `no gateway answers at ${place.url.origin} (${why}); ${place.hint}`, {
    cause: error,
  })
}

function refusal(status: number, text: string, { loginHint }: Place): Denied {
  if (status === 401 && loginHint !== undefined) return new Denied('unauthenticated', loginHint)
  const body = parsed<unknown>(text)
  const told =
    typeof body === 'object' && body !== null && 'detail' in body && typeof body.detail === 'string' ? body.detail : undefined
  const code =
    typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string' ? body.code : `http-${status}`
  return new Denied(code, told ?? `the gateway answered ${status}`)
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- both ends are of one release: the caller knows what it asked for
function parsed<T>(text: string): T {
  try {
    const value: T = JSON.parse(text)
    return value
  } catch (error) {
    throw new Unreachable('not-a-gateway', 'what answers there is not a Sallyport gateway; check the address', { cause: error })
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk as Uint8Array)
    sizeBytes += bytes.length
    if (sizeBytes > MAX_ANSWER_BYTES) throw new Unreachable('answer-too-long', 'the answer is too long; narrow the question')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function* linesOf<T>(place: Place, path: string, signal: AbortSignal | undefined, body: unknown): AsyncGenerator<T> {
  const response = await send(place, body === undefined ? 'GET' : 'POST', path, body, signal)
  for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
    if (line === '') continue
    const { problem } = parsed<{ readonly problem?: { readonly code: string; readonly detail: string } }>(line)
    if (problem !== undefined) throw new Denied(problem.code, problem.detail)
    yield parsed<T>(line)
  }
  if (!response.complete && signal?.aborted !== true) {
    throw new Unreachable('answer-cut', 'the gateway broke off its answer; see its log')
  }
}
