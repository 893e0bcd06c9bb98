// The stored credential, put into a request at the last moment. What it replaces of the caller's own is dropped first.

import { createHash } from 'node:crypto'
import aws4 from 'aws4'
import { request as send } from 'undici'
import { Misconfigured, secret, Unreachable } from '@sallyport/core'
import type { Credential, Secret } from '@sallyport/core'
import { without } from './headers.js'

/** A credential read a moment ago is the same one; a rotated one counts soon. */
const rememberedMs = 5_000
const tokenWithinMs = 10_000
const maxTokenAnswerBytes = 65_536
/** A token is fetched anew so long before it ends. */
const spareMs = 60_000

export interface Outgoing {
  readonly method: string
  /** Path and query at the target. */
  readonly path: string
  readonly host: string
  readonly headers: string[]
  /** The whole body where it is known before it goes on. */
  readonly body: Buffer | undefined
  readonly streamed: boolean
}

/** The credential of one session, remembered for a moment, with the token it was exchanged for. */
export class StoredCredential {
  readonly #read: () => Promise<Credential>
  #known: { readonly credential: Promise<Credential>; readonly at: number } | undefined
  #token: { readonly token: Promise<Secret>; until: number; readonly of: string } | undefined

  constructor(read: () => Promise<Credential>) {
    this.#read = read
  }

  current(): Promise<Credential> {
    const now = Date.now()
    if (this.#known !== undefined && now - this.#known.at < rememberedMs) return this.#known.credential
    const credential = this.#read()
    this.#known = { credential, at: now }
    credential.catch(() => (this.#known = undefined))
    return credential
  }

  /** The target said 401: the next request gets a new token. */
  refused(): void {
    this.#token = undefined
  }

  /** The headers with the credential among them. */
  async applied(outgoing: Outgoing): Promise<string[]> {
    const credential = await this.current()
    const { headers } = outgoing
    switch (credential.kind) {
      case 'none':
      case 'certificate':
        return headers
      case 'header':
        return replaced(headers, credential.name.toLowerCase(), credential.value.reveal())
      case 'bearer':
        return replaced(headers, 'authorization', `Bearer ${credential.token.reveal()}`)
      case 'password': {
        const pair = Buffer.from(`${credential.username}:${credential.password.reveal()}`, 'utf8').toString('base64')
        return replaced(headers, 'authorization', `Basic ${pair}`)
      }
      case 'oauth2':
        return replaced(headers, 'authorization', `Bearer ${(await this.#exchanged(credential)).reveal()}`)
      case 'aws':
        return signed(outgoing, credential)
      case 'privateKey':
        throw new Misconfigured('wrong-credential', 'a target of protocol http cannot use a private key of SSH')
    }
  }

  #exchanged(credential: Credential & { kind: 'oauth2' }): Promise<Secret> {
    const of = [
      credential.tokenUrl,
      credential.clientId,
      credential.clientSecret.reveal(),
      credential.scope,
      credential.audience,
    ].join('\n')
    const known = this.#token
    if (known !== undefined && known.of === of && known.until > Date.now()) return known.token
    const fetched = fetchToken(credential)
    const entry = { token: fetched.then((answer) => answer.token), until: Date.now() + tokenWithinMs, of }
    this.#token = entry
    fetched.then(
      (answer) => (entry.until = Date.now() + answer.livesMs),
      () => (this.#token = this.#token === entry ? undefined : this.#token),
    )
    return entry.token
  }
}

function replaced(headers: readonly string[], name: string, value: string): string[] {
  return [...without(headers, new Set([name])), name, value]
}

/** RFC 6749, sections 4.4.2 and 2.3.1. */
async function fetchToken(
  credential: Credential & { kind: 'oauth2' },
): Promise<{ readonly token: Secret; readonly livesMs: number }> {
  const { tokenUrl, clientId, clientSecret, scope, audience } = credential
  const form = new URLSearchParams({ grant_type: 'client_credentials' })
  if (scope !== undefined) form.set('scope', scope)
  if (audience !== undefined) form.set('audience', audience)
  const pair = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret.reveal())}`).toString('base64')
  try {
    const answer = await send(tokenUrl, {
      method: 'POST',
      headers: { authorization: `Basic ${pair}`, 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: form.toString(),
      signal: AbortSignal.timeout(tokenWithinMs),
    })
    const text = await limited(answer.body)
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`)
    const { access_token: token, expires_in: lives } = JSON.parse(text) as { access_token?: unknown; expires_in?: unknown }
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw new Error('no access_token')
    const livesMs = typeof lives === 'number' && lives > 0 ? lives * 1000 : 5 * 60_000
    return { token: secret(token), livesMs: Math.max(livesMs - spareMs, livesMs / 2) }
  } catch (error) {
    const said = error instanceof SyntaxError ? 'its answer is not JSON' : error instanceof Error ? error.message : String(error)
    throw new Unreachable('token-refused', `the token endpoint ${new URL(tokenUrl).host} gave no token`, { cause: new Error(said) })
  }
}

async function limited(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxTokenAnswerBytes) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Signature version 4. A body that streams is not part of the signature, which S3 alone accepts. */
function signed(outgoing: Outgoing, credential: Credential & { kind: 'aws' }): string[] {
  const drop = new Set(['authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'])
  const headers = without(outgoing.headers, drop)
  const type = headers[headers.indexOf('content-type') + 1]
  const digest = outgoing.streamed
    ? 'UNSIGNED-PAYLOAD'
    : createHash('sha256')
        .update(outgoing.body ?? '')
        .digest('hex')
  const made = aws4.sign(
    {
      method: outgoing.method,
      host: outgoing.host,
      path: outgoing.path,
      service: credential.service,
      region: credential.region,
      headers: {
        Host: outgoing.host,
        'X-Amz-Content-Sha256': digest,
        ...(headers.includes('content-type') && type !== undefined ? { 'Content-Type': type } : {}),
      },
      ...(outgoing.body === undefined || outgoing.streamed ? {} : { body: outgoing.body }),
    },
    {
      accessKeyId: credential.accessKeyId,
      secretAccessKey: credential.secretAccessKey.reveal(),
      ...(credential.sessionToken === undefined ? {} : { sessionToken: credential.sessionToken.reveal() }),
    },
  )
  const added = Object.entries(made.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)] as const)
  const names = new Set(added.map(([name]) => name).filter((name) => name !== 'content-length'))
  const mine = added.filter(([name]) => names.has(name)).flat()
  return [...without(headers, names), ...mine]
}
