// The key by which clients know this gateway: made once, kept in the installation's home.

import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import ssh2 from 'ssh2'

export interface HostKey {
  /** OpenSSH's private key format. */
  readonly privateKey: string
  /** The public key as a line of known_hosts or of a target's `hostKey`. */
  readonly publicKey: string
}

/** Reads the host key in this directory, or makes one there. Two nodes that start at once end up with the same. */
export function openHostKey(directory: string): HostKey {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, 'ssh_host_ed25519_key')
  const privateKey = readIfThere(file) ?? make(file)
  const parsed = ssh2.utils.parseKey(privateKey)
  if (parsed instanceof Error)
    throw new Misconfigured('bad-host-key', `${file} holds no private key of SSH; remove it to have a new one made`)
  return { privateKey, publicKey: `${parsed.type} ${parsed.getPublicSSH().toString('base64')}` }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new Misconfigured('bad-host-key', `${file} cannot be read`, { cause: error })
  }
}

/** ssh2 1.17.0 cannot read every key that it makes (measured: 7 of 3,000), so each is read before it is kept. */
const mostTries = 20

function generate(): string {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const made = ssh2.utils.generateKeyPairSync('ed25519').private
    if (!(ssh2.utils.parseKey(made) instanceof Error)) return made
  }
  throw new Misconfigured('bad-host-key', 'no readable host key could be made')
}

function make(file: string): string {
  const made = generate()
  const own = `${file}.${process.pid}`
  writeFileSync(own, made, { mode: 0o600 })
  chmodSync(own, 0o600)
  try {
    linkSync(own, file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    rmSync(own, { force: true })
  }
  return readFileSync(file, 'utf8')
}
