// The target's end: logs in with the stored credential, and only to the host whose key the operator has pinned, or whose authority.

import { createPrivateKey } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { readCertificate, sameBytes, signaturesOf } from '@sallyport/certificates'
import { Malformed, Unreachable } from '@sallyport/core'
import ssh2 from 'ssh2'
import type { Credential, Hop, Session, Target } from '@sallyport/core'
import type { Client, ConnectConfig } from 'ssh2'
import { algorithms } from './algorithms.js'
import { detached } from './detached.js'
import { hostProofOf } from './host-proof.js'
import type { HostProof } from './host-proof.js'
import { askForCertificates, logInByCertificate, proveByKey } from './library-certificates.js'
import type { CertifiedKey } from './library-certificates.js'

/** OpenSSH's LoginGraceTime is 120 s; a target of ours that takes ten has other troubles. */
const loginMs = 10_000
/** ServerAliveInterval and ServerAliveCountMax as operators set them by habit: a dead target is noticed in a minute. */
const keepalive = { keepaliveInterval: 20_000, keepaliveCountMax: 3 }

/** Logs in at the target, and on the way at each target that it is reached through. Throws Unreachable. */
export async function logIn(session: Session, log: (reason: string) => void): Promise<Client> {
  const { target } = session
  const { hops = [], credential, ...first } = await session.dial()
  const way: readonly Hop[] = [...hops, { target, credential }]
  const passed: Client[] = []
  const leave = (): void => passed.forEach((client) => client.end())
  let stream: Duplex = first.stream
  for (const [index, hop] of way.entries()) {
    try {
      const client = await logInAt(hop, stream, session.signal)
      const next = way[index + 1]?.target
      if (next === undefined) {
        // Who is through with the target is through with the way there.
        client.once('close', leave)
        return client
      }
      passed.push(client)
      stream = detached(await opened(client, next))
    } catch (error) {
      stream.destroy()
      leave()
      log(error instanceof Error ? error.message : String(error))
      const where = index === way.length - 1 ? '' : `on the way there, at ${hop.target.name}, `
      throw new Unreachable('target-login-failed', `login at target ${target.name} failed: ${where}${whyIn(error)}`, {
        cause: error,
      })
    }
  }
  throw new Unreachable('target-login-failed', `there is no way to target ${target.name}`)
}

/** A channel from one target to the next, as `ssh -J` opens it. */
function opened(client: Client, { address }: Target): Promise<Duplex> {
  const colon = address.lastIndexOf(':')
  const [host, port] = [address.slice(0, colon).replace(/^\[|\]$/g, ''), Number(address.slice(colon + 1))]
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
      if (error === undefined) resolve(channel)
      else reject(new Error('no channel to the next target', { cause: error }))
    })
  })
}

async function logInAt({ target, credential }: Hop, stream: Duplex, signal: AbortSignal): Promise<Client> {
  const proof = hostProofOf(target)
  if (proof === undefined) throw new Error('nothing is pinned')
  const client = new ssh2.Client()
  try {
    await connect(client, stream, { proof, login: loginWith(credential), signal })
    return client
  } catch (error) {
    client.destroy()
    throw error
  }
}

interface Connecting {
  readonly proof: HostProof
  readonly login: TargetLogin
  readonly signal: AbortSignal
}

function connect(client: Client, stream: Duplex, { proof, login, signal }: Connecting): Promise<void> {
  return new Promise((resolve, reject) => {
    // Each, not the first: one that nobody hears ends the process, and a hostile target can cause several.
    client.once('ready', resolve).on('error', reject)
    client.once('close', () => reject(new Error('the target hung up')))
    signal.addEventListener('abort', () => reject(new Error('the session ended')), { once: true })
    client.connect({
      sock: stream,
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
  // Our own words already.
  if (error instanceof Unreachable) return error.message
  if (/nothing is pinned/.test(message))
    return 'it has no hostKey or hostAuthority that this gateway could hold it to; its operator must add one'
  if (/no channel to the next/.test(message)) return 'it opens no channel to the next target'
  if (level === 'client-authentication') return 'it refused the stored credential'
  if (level === 'handshake' || /handshake|no matching/i.test(message)) return 'no key exchange both ends hold to be sound'
  if (level === 'client-timeout' || /timed out/i.test(message)) return 'it took too long'
  if (/parse privateKey|passphrase/i.test(message)) return 'the stored key cannot be read'
  if (error instanceof Malformed || /stored certificate/.test(message))
    return 'the stored certificate is not one about the stored key'
  return 'it broke the protocol or hung up'
}
