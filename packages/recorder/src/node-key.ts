// The node's signing key, and beside it the head of its chain of checkpoints: without that, cutting off the database's newest part
// would leave a shorter chain that looks whole.

import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import { keyIdOf, readPublicKey } from './checkpoint.js'

export interface NodeKey {
  readonly id: string
  readonly privateKey: KeyObject
  /** PEM. */
  readonly publicKey: string
}

export interface ChainHead {
  readonly key: string
  readonly number: number
  /** SHA-256 of the newest checkpoint's body, hex. */
  readonly hash: string
}

/** `flush`: what is lost with a power cut could not be made again. */
function write(path: string, text: string, flush: boolean): void {
  const draft = `${path}.new`
  writeFileSync(draft, text, { mode: 0o600, flush })
  renameSync(draft, path)
}

/** The node's key, made at the first start. Throws Misconfigured where the file is not a key. */
export function openNodeKey(home: string): NodeKey {
  const directory = join(home, 'keys')
  const path = join(directory, 'node.key')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (!existsSync(path)) {
    const made = generateKeyPairSync('ed25519')
    write(path, made.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), true)
  }
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(readFileSync(path))
  } catch (cause) {
    throw new Misconfigured(
      'node-key',
      `${path} is not a private key; restore it from your backup, or move it away to begin a new chain`,
      { cause },
    )
  }
  const publicKey = createPublicKey(privateKey)
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const published = join(directory, 'node.pub')
  if (!existsSync(published)) write(published, pem, true)
  return { id: keyIdOf(publicKey), privateKey, publicKey: pem }
}

export function writeHead(home: string, head: ChainHead): void {
  write(join(home, 'keys', 'head.json'), `${JSON.stringify(head)}\n`, false)
}

export function readHead(home: string): ChainHead | undefined {
  const path = join(home, 'keys', 'head.json')
  if (!existsSync(path)) return undefined
  try {
    const { key, number, hash } = JSON.parse(readFileSync(path, 'utf8')) as Partial<ChainHead>
    if (typeof key === 'string' && typeof number === 'number' && typeof hash === 'string') return { key, number, hash }
  } catch {
    // Told below: half a file is as bad as none.
  }
  throw new Misconfigured('chain-head', `${path} cannot be read; move it away to verify without it`)
}

/** Public keys that somebody was given, by key id. Throws Misconfigured for a file that is none. */
export function pinsFrom(files: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    files.map((file) => {
      try {
        const pem = readFileSync(file, 'utf8')
        const key = readPublicKey(pem)
        if (key !== undefined) return [keyIdOf(key), pem]
      } catch (cause) {
        throw new Misconfigured('key-unreadable', `${file} cannot be read`, { cause })
      }
      throw new Misconfigured(
        'no-key',
        `${file} is no public key of a node; it is the file keys/node.pub in the home of the gateway`,
      )
    }),
  )
}

/** What a verifier on this node holds against the database: its own public key and the head of its chain. */
export function readPins(home: string): { readonly keys: ReadonlyMap<string, string>; readonly head: ChainHead | undefined } {
  const path = join(home, 'keys', 'node.pub')
  const keys = new Map<string, string>()
  if (existsSync(path)) {
    const pem = readFileSync(path, 'utf8')
    keys.set(keyIdOf(createPublicKey(pem)), pem)
  }
  return { keys, head: readHead(home) }
}
