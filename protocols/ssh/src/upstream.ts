// The target's end: logs in with the stored credential, and only to the host whose key the operator has pinned, or whose authority.

import { createPrivateKey } from 'node:crypto'
import { readCertificate, sameBytes } from '@sallyport/certificates'
import { Malformed, Unreachable } from '@sallyport/core'
import ssh2 from 'ssh2'
import type { Credential, Session, Upstream } from '@sallyport/core'
import type { Client, ConnectConfig } from 'ssh2'
import { algorithms, signaturesOf } from './algorithms.js'
import { hostProofOf } from './host-proof.js'
import type { HostProof } from './host-proof.js'
import { askForCertificates, logInByCertificate, proveByKey } from './library-certificates.js'
import type { CertifiedKey } from './library-certificates.js'

/** OpenSSH's LoginGraceTime is 120 s; a target of ours that takes ten has other troubles. */
const loginMs = 10_000
/** ServerAliveInterval and ServerAliveCountMax as operators set them by habit: a dead target is noticed in a minute. */
const keepalive = { keepaliveInterval: 20_000, keepaliveCountMax: 3 }

/** Throws Unreachable. */
export async function logIn(session: Session, log: (reason: string) => void): Promise<Client> {
  const { target } = session
  const proof = hostProofOf(target)
  if (proof === undefined) {
    throw new Unreachable(
      'target-not-pinned',
      `target ${target.name} has no hostKey or hostAuthority that this gateway could hold it to; its operator must add one`,
    )
  }
  const upstream = await session.dial()
  const client = new ssh2.Client()
  try {
    await connect(client, upstream, proof, session)
    return client
  } catch (error) {
    client.destroy()
    upstream.stream.destroy()
    log(error instanceof Error ? error.message : String(error))
    throw new Unreachable('target-login-failed', `login at target ${target.name} failed: ${whyIn(error)}`, { cause: error })
  }
}

function connect(client: Client, upstream: Upstream, proof: HostProof, session: Session): Promise<void> {
  return new Promise((resolve, reject) => {
    // Each, not the first: one that nobody hears ends the process, and a hostile target can cause several.
    client.once('ready', resolve).on('error', reject)
    client.once('close', () => reject(new Error('the target hung up')))
    session.signal.addEventListener('abort', () => reject(new Error('the session ended')), { once: true })
    const login = loginWith(upstream.credential)
    client.connect({
      sock: upstream.stream,
      ...login.config,
      // With certificates alone the library is told of plain keys that are never offered.
      algorithms: algorithms(proof.plain.length === 0 ? signaturesOf('ssh-ed25519') : proof.plain),
      hostVerifier: (key: Buffer) => isProved(client, proof, key),
      readyTimeout: loginMs,
      ...keepalive,
    })
    const asExpected = proof.certified.length === 0 || askForCertificates(client, [...proof.certified, ...proof.plain])
    if (!asExpected || (login.certified !== undefined && !logInByCertificate(client, login.certified)))
      reject(new Error('the SSH library is not as expected'))
  })
}

function isProved(client: Client, proof: HostProof, shown: Buffer): boolean {
  const judged = proof.judge(shown, Date.now())
  return judged.kind === 'pinned' || (judged.kind === 'certified' && proveByKey(client, judged.key))
}

interface TargetLogin {
  readonly config: Pick<ConnectConfig, 'username' | 'password' | 'privateKey' | 'passphrase'>
  readonly certified?: CertifiedKey
}

/** Throws Unreachable, or an Error where the stored key and certificate do not fit. */
function loginWith(credential: Credential): TargetLogin {
  if (credential.kind === 'password') return { config: { username: credential.username, password: credential.password.reveal() } }
  if (credential.kind !== 'privateKey') throw new Unreachable('no-credential', 'the target has no stored password or key')
  const { username, privateKey, passphrase, certificate } = credential
  const config = {
    username,
    privateKey: privateKey.reveal(),
    ...(passphrase === undefined ? {} : { passphrase: passphrase.reveal() }),
  }
  if (certificate === undefined) return { config }
  return { config, certified: certifiedKey(certificate, config.privateKey, config.passphrase) }
}

function certifiedKey(line: string, privateKey: string, passphrase: string | undefined): CertifiedKey {
  const parsed = ssh2.utils.parseKey(privateKey, passphrase)
  if (parsed instanceof Error) throw parsed
  const blob = Buffer.from(line.split(/\s+/)[1] ?? '', 'base64')
  const { key, kind } = readCertificate(blob)
  if (kind !== 'user' || !sameBytes(key.blob, parsed.getPublicSSH()))
    throw new Error('the stored certificate is not about the stored key')
  return { blob, keyType: key.type, privateKey: createPrivateKey(parsed.getPrivatePEM()) }
}

/** In our own words: the target's could name the stored user. */
function whyIn(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  const level = error instanceof Error && 'level' in error ? error.level : ''
  if (/host denied|verification failed/i.test(message))
    return 'it does not show the host key that is pinned for it, nor a certificate of its authority'
  if (level === 'client-authentication') return 'it refused the stored credential'
  if (level === 'handshake' || /handshake|no matching/i.test(message)) return 'no key exchange both ends hold to be sound'
  if (level === 'client-timeout' || /timed out/i.test(message)) return 'it took too long'
  if (/parse privateKey|passphrase/i.test(message)) return 'the stored key cannot be read'
  if (error instanceof Malformed || /stored certificate/.test(message))
    return 'the stored certificate is not one about the stored key'
  return 'it broke the protocol or hung up'
}
