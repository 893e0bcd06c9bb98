// Answers to MySQL's password challenges, as a client gives them and as a server checks them. The server side needs only the verifiers that
// were kept of a token, never the token.

import { constants, createHash, publicEncrypt, timingSafeEqual } from 'node:crypto'
import type { TokenVerifiers } from '@sallyport/core'

export const native = 'mysql_native_password'
export const cachingSha2 = 'caching_sha2_password'
export const sha256 = 'sha256_password'
export const clear = 'mysql_clear_password'
export const ed25519 = 'client_ed25519'

const hash = (algorithm: 'sha1' | 'sha256', ...parts: readonly Buffer[]): Buffer => {
  const made = createHash(algorithm)
  for (const part of parts) made.update(part)
  return made.digest()
}

/** The shorter of the two repeats. */
export function xor(bytes: Buffer, pad: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ (pad[index % pad.length] as number)))
}

/** SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password))). */
export function answerNative(password: string, nonce: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0)
  const once = hash('sha1', Buffer.from(password))
  return xor(once, hash('sha1', nonce, hash('sha1', once)))
}

/** SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce). */
export function answerCachingSha2(password: string, nonce: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0)
  const once = hash('sha256', Buffer.from(password))
  return xor(once, hash('sha256', hash('sha256', once), nonce))
}

/** Whether the answer to this nonce was made from the token behind the verifiers. */
export function checks(plugin: string, answer: Buffer, nonce: Buffer): ((verifiers: TokenVerifiers) => boolean) | undefined {
  if (plugin === native && answer.length === 20) {
    return ({ mysqlNativePassword }) => {
      const kept = Buffer.from(mysqlNativePassword, 'hex')
      return same(hash('sha1', xor(answer, hash('sha1', nonce, kept))), kept)
    }
  }
  if (plugin === cachingSha2 && answer.length === 32) {
    return ({ cachingSha2Password }) => {
      const kept = Buffer.from(cachingSha2Password, 'hex')
      return same(hash('sha256', xor(answer, hash('sha256', kept, nonce))), kept)
    }
  }
  return undefined
}

function same(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Full authentication without TLS: the password and its NUL, XOR the nonce, under the server's RSA key (sql_authentication.cc). */
export function encryptPassword(password: string, nonce: Buffer, publicKey: string): Buffer {
  return publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING }, xor(Buffer.from(`${password}\0`), nonce))
}
