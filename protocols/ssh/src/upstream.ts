// The target's end: logs in with the stored credential, and only to the host whose key the operator has pinned.

import { timingSafeEqual } from 'node:crypto'
import { Unreachable } from '@sallyport/core'
import ssh2 from 'ssh2'
import type { Session, Upstream } from '@sallyport/core'
import type { Client, ConnectConfig } from 'ssh2'
import { algorithms, signaturesOf } from './algorithms.js'

/** OpenSSH's LoginGraceTime is 120 s; a target of ours that takes ten has other troubles. */
const loginMs = 10_000
/** ServerAliveInterval and ServerAliveCountMax as operators set them by habit: a dead target is noticed in a minute. */
const keepalive = { keepaliveInterval: 20_000, keepaliveCountMax: 3 }

/** Throws Unreachable. */
export async function logIn(session: Session, log: (reason: string) => void): Promise<Client> {
  const { target } = session
  const pinned = pinnedKey(target.hostKey)
  if (pinned === undefined) {
    throw new Unreachable(
      'target-not-pinned',
      `target ${target.name} has no hostKey that this gateway could hold it to; its operator must add one`,
    )
  }
  const upstream = await session.dial()
  const client = new ssh2.Client()
  try {
    await connect(client, upstream, pinned, session)
    client.on('error', () => {})
    return client
  } catch (error) {
    client.on('error', () => {})
    client.destroy()
    upstream.stream.destroy()
    log(error instanceof Error ? error.message : String(error))
    throw new Unreachable('target-login-failed', `login at target ${target.name} failed: ${whyIn(error)}`, { cause: error })
  }
}

function connect(client: Client, upstream: Upstream, pinned: PinnedKey, session: Session): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('ready', resolve).once('error', reject)
    client.once('close', () => reject(new Error('the target hung up')))
    session.signal.addEventListener('abort', () => reject(new Error('the session ended')), { once: true })
    client.connect({
      sock: upstream.stream,
      ...credentialOf(upstream),
      algorithms: algorithms(pinned.signatures),
      hostVerifier: (key: Buffer) => sameKey(key, pinned.blob),
      readyTimeout: loginMs,
      ...keepalive,
    })
  })
}

function credentialOf({ credential }: Upstream): Pick<ConnectConfig, 'username' | 'password' | 'privateKey' | 'passphrase'> {
  if (credential.kind === 'password') return { username: credential.username, password: credential.password.reveal() }
  if (credential.kind === 'privateKey') {
    const { username, privateKey, passphrase } = credential
    return { username, privateKey: privateKey.reveal(), ...(passphrase === undefined ? {} : { passphrase: passphrase.reveal() }) }
  }
  throw new Unreachable('no-credential', 'the target has no stored password or key')
}

interface PinnedKey {
  readonly blob: Buffer
  readonly signatures: readonly string[]
}

function pinnedKey(line: string | undefined): PinnedKey | undefined {
  const [type = '', base64 = ''] = line?.trim().split(/\s+/) ?? []
  const signatures = signaturesOf(type)
  return signatures.length === 0 || base64 === '' ? undefined : { blob: Buffer.from(base64, 'base64'), signatures }
}

function sameKey(shown: Buffer, pinned: Buffer): boolean {
  return shown.length === pinned.length && timingSafeEqual(shown, pinned)
}

/** In our own words: the target's could name the stored user. */
function whyIn(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  const level = error instanceof Error && 'level' in error ? error.level : ''
  if (/host denied|verification failed/i.test(message)) return 'it does not show the host key that is pinned for it'
  if (level === 'client-authentication') return 'it refused the stored credential'
  if (level === 'handshake' || /handshake|no matching/i.test(message)) return 'no key exchange both ends hold to be sound'
  if (level === 'client-timeout' || /timed out/i.test(message)) return 'it took too long'
  if (/parse privateKey|passphrase/i.test(message)) return 'the stored key cannot be read'
  return 'it broke the protocol or hung up'
}
