// Signing in to the console: the access token travels once, and from then on as a cookie that no page can read. A browser sends cookies
// to every port of a host, so what is in it is sealed: whoever else is sent it cannot log in to a target with it.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { Malformed, Remembered, secret } from '@sallyport/core'
import type { Secret } from '@sallyport/core'

/** A working day. The token's own end comes first where it is sooner. */
const SIGNED_IN_SECONDS = 12 * 3600
/** Browsers keep 4096 bytes of name, value and attributes (RFC 6265, section 6.1). */
const MAX_SEALED_CHARACTERS = 3800
const NONCE_BYTES = 12
const TAG_BYTES = 16
const TIME_BYTES = 8
/** Ends a cookie of another meaning or form. */
const MEANING = Buffer.from('sallyport console cookie 1')
/** Beyond it the oldest sign-out is forgotten: its cookie was deleted in the browser anyway. */
const MAX_SIGNED_OUT = 100_000

export class SignIns {
  readonly #key: Uint8Array
  readonly #now: () => number
  readonly #signedOut = new Remembered<string, true>({ entries: MAX_SIGNED_OUT, weight: MAX_SIGNED_OUT })

  constructor(key: Uint8Array, now: () => number = Date.now) {
    this.#key = key
    this.#now = now
  }

  /** Throws Malformed for a token that no cookie can hold (a JWT with very many groups). */
  seal(token: Secret): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(MEANING)
    const time = Buffer.alloc(TIME_BYTES)
    time.writeBigUInt64BE(BigInt(this.#now()))
    const sealed = [nonce, cipher.update(time), cipher.update(token.reveal(), 'utf8'), cipher.final(), cipher.getAuthTag()]
    const text = Buffer.concat(sealed).toString('base64url')
    if (text.length <= MAX_SEALED_CHARACTERS) return text
    throw new Malformed('client', 'token-too-long', 'this token is too long for a cookie; sign in with an access token')
  }

  /** Undefined for what was not sealed here, is too old, or was signed out. */
  open(sealed: string): Secret | undefined {
    if (sealed.length > MAX_SEALED_CHARACTERS || this.#signedOut.get(fingerprint(sealed)) === true) return undefined
    const bytes = Buffer.from(sealed, 'base64url')
    // One spelling each: another would pass by what is remembered of those signed out.
    if (bytes.length < NONCE_BYTES + TIME_BYTES + TAG_BYTES || bytes.toString('base64url') !== sealed) return undefined
    const opened = this.#unsealed(bytes)
    if (opened === undefined) return undefined
    const ageMs = this.#now() - Number(opened.readBigUInt64BE(0))
    return ageMs < SIGNED_IN_SECONDS * 1000 ? secret(opened.toString('utf8', TIME_BYTES)) : undefined
  }

  /** On this node; on others the copy of a cookie lasts until its token or its day ends. */
  end(sealed: string): void {
    this.#signedOut.set(fingerprint(sealed), true, 1)
  }

  #unsealed(bytes: Buffer): Buffer | undefined {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(MEANING).setAuthTag(bytes.subarray(-TAG_BYTES))
    try {
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
    } catch {
      return undefined
    }
  }
}

function fingerprint(sealed: string): string {
  return createHash('sha256').update(sealed).digest('base64')
}

/** Where a browser says the page came by TLS, it will send the cookie by nothing else. */
export interface Place {
  readonly secure: boolean
  readonly host: string | undefined
}

/** The port is part of the name: several gateways on one machine share its cookies. */
function cookieName({ secure, host }: Place): string {
  const port = /:(\d{1,5})$/.exec(host ?? '')?.[1]
  return `${secure ? '__Host-' : ''}sallyport${port === undefined ? '' : `-${port}`}`
}

export function setCookie(place: Place, sealed: string): string {
  return written(place, sealed, SIGNED_IN_SECONDS)
}

export function clearCookie(place: Place): string {
  return written(place, '', 0)
}

function written(place: Place, value: string, maxAgeSeconds: number): string {
  const secure = place.secure ? '; Secure' : ''
  return `${cookieName(place)}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`
}

/** What a browser needs back from the provider it is sent to: on its way home it is another site's doing, so `Lax`, and for this path alone. */
const LOGIN_SECONDS = 600
const LOGIN_PATH = '/api/v1/sign-in'

export function setLoginCookie(place: Place, login: string): string {
  const secure = place.secure ? '; Secure' : ''
  const age = login === '' ? 0 : LOGIN_SECONDS
  return `${loginCookieName(place)}=${login}; Path=${LOGIN_PATH}; Max-Age=${age}; HttpOnly; SameSite=Lax${secure}`
}

export function sentLoginCookie(header: string | undefined, place: Place): string | undefined {
  const prefix = `${loginCookieName(place)}=`
  const found = (header ?? '')
    .split(';')
    .map((each) => each.trim())
    .find((each) => each.startsWith(prefix))
  return found === undefined || found.length === prefix.length ? undefined : found.slice(prefix.length)
}

function loginCookieName({ host }: Place): string {
  const port = /:(\d{1,5})$/.exec(host ?? '')?.[1]
  return `sallyport-login${port === undefined ? '' : `-${port}`}`
}

/** The console's cookie among all that a browser sent; the one that only TLS can have set comes first. */
export function sentCookie(header: string | undefined, host: string | undefined): string | undefined {
  const sent = (header ?? '').split(';').map((each) => each.trim())
  for (const secure of [true, false]) {
    const prefix = `${cookieName({ secure, host })}=`
    const found = sent.find((each) => each.startsWith(prefix))
    if (found !== undefined && found.length > prefix.length) return found.slice(prefix.length)
  }
  return undefined
}
