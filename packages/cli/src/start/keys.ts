// What an installation makes for itself once and keeps in its home: the admin token, its secret, the node's name.

import { randomBytes } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { Misconfigured, secret } from '@sallyport/core'
import type { Secret } from '@sallyport/core'
import type { Home } from '../home.js'
import type { Log } from './logging.js'

export function makeHome(home: Home): void {
  try {
    mkdirSync(home.directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new Misconfigured('home-unusable', `${home.directory} cannot be made; set SALLYPORT_HOME to a directory of this user`, {
      cause,
    })
  }
}

export function adminToken(home: Home, log: Log): Secret {
  const text = kept(home.adminToken, () => `spa_${randomBytes(32).toString('base64url')}`)
  if ((statSync(home.adminToken).mode & 0o077) !== 0) {
    chmodSync(home.adminToken, 0o600)
    log('warn', 'others could read the admin token; its mode was mended. Delete the file and restart to get a new one', {
      file: home.adminToken,
    })
  }
  return secret(text)
}

/** Salts of logins and of `hash` masks follow from it: nodes that share a database must have the same. */
export function installationSecret(home: Home): Buffer {
  const file = join(home.directory, 'keys', 'installation.key')
  const bytes = Buffer.from(
    kept(file, () => randomBytes(32).toString('hex')),
    'hex',
  )
  if (bytes.length !== 32)
    throw new Misconfigured('installation-key', `${file} is not a key of this gateway; restore it from a backup`)
  return bytes
}

/** Stable for the life of the home: the record of a node continues where it stopped. */
export function nodeName(home: Home): string {
  const host =
    hostname()
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-')
      .slice(0, 40) || 'node'
  return kept(join(home.directory, 'node'), () => `${host}-${randomBytes(3).toString('hex')}`)
}

/** Made whole or not at all, and only once, even by two processes at the same time. */
function kept(file: string, make: () => string): string {
  const found = read(file)
  if (found !== undefined) return found
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, `${make()}\n`, { mode: 0o600, flush: true })
  try {
    linkSync(draft, file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    rmSync(draft, { force: true })
  }
  const made = read(file)
  if (made === undefined) throw new Misconfigured('home-unusable', `${file} is empty; delete it and start again`)
  return made
}

function read(file: string): string | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  if (text === '') throw new Misconfigured('home-unusable', `${file} is empty; delete it and start again`)
  return text
}
