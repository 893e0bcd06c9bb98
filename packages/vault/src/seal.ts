// Values sealed at rest: AES-256-GCM with a key that only this installation has.
// `v1.` + base64url(nonce, 12 bytes; ciphertext; tag, 16 bytes). The context is authenticated and not stored: a value sealed for one
// use cannot be opened for another.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Misconfigured } from '@sallyport/core'

const version = 'v1'
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

export function sealText(key: Uint8Array, text: string, context: string): string {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated(context))
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `${version}.${sealed.toString('base64url')}`
}

export function openSealed(key: Uint8Array, sealed: string, context: string): string {
  const bytes = Buffer.from(/^v1\.([\w-]+)$/.exec(sealed.trim())?.[1] ?? '', 'base64url')
  if (bytes.length < nonceBytes + tagBytes)
    throw new Misconfigured('bad-sealed', 'a sealed value begins with "v1."; make one with `sallyport seal`')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(associated(context)).setAuthTag(bytes.subarray(-tagBytes))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString('utf8')
  } catch {
    throw new Misconfigured(
      'bad-sealed',
      'a sealed value cannot be opened: it was sealed by another installation or for another use, or was altered',
    )
  }
}

/** The installation's key, made on first use. */
export function installationKey(home: string): Uint8Array {
  const path = join(home, 'keys', 'vault.key')
  return readKey(path) ?? makeKey(path)
}

function readKey(path: string): Uint8Array | undefined {
  let text: string
  try {
    if ((statSync(path).mode & 0o077) !== 0) throw new Misconfigured('open-key', `others can read ${path}; run: chmod 600 ${path}`)
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    if (error instanceof Misconfigured) throw error
    throw new Misconfigured('no-key', `${path} cannot be read`, { cause: error })
  }
  const key = Buffer.from(text.trim(), 'hex')
  if (key.length !== keyBytes) throw new Misconfigured('bad-key', `${path} does not hold a key`)
  return key
}

/** Written aside and linked into place, so that neither a crash nor a second process leaves half a key or two keys. */
function makeKey(path: string): Uint8Array {
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(aside, `${randomBytes(keyBytes).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true })
    chmodSync(aside, 0o600)
    try {
      linkSync(aside, path)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
    unlinkSync(aside)
  } catch (error) {
    throw new Misconfigured('no-key', `${path} cannot be written`, { cause: error })
  }
  const key = readKey(path)
  if (key === undefined) throw new Misconfigured('no-key', `${path} cannot be read`)
  return key
}

function associated(context: string): Uint8Array {
  return Buffer.from(`sallyport vault ${version}\0${context}`)
}
