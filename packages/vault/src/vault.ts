// From where a credential is kept to the credential. Read at each dial, so that a rotated password counts from the next connection on.
// No error ever holds a value: errors say where a secret should be, not what was found there.

import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Misconfigured, secret } from '@sallyport/core'
import { createVaultReader } from './hashicorp.js'
import { installationKey, openSealed, sealText } from './seal.js'
import { sourceFault } from './source.js'
import type { Credential, Secret } from '@sallyport/core'
import type { Environment } from './hashicorp.js'
import type { CredentialSource, SecretSource } from './source.js'

export interface VaultOptions {
  /** SALLYPORT_HOME: the sealing key is kept in `keys/vault.key` there. */
  readonly home: string
  readonly env: Environment
  /** What file names are relative to: where the configuration is. */
  readonly baseDirectory: string
  readonly now?: () => number
}

export interface Vault {
  /** Throws Misconfigured or Unreachable. `context` is what sealed values were sealed for. */
  credentialFor(source: CredentialSource | undefined, context?: string): Promise<Credential>
  /** Seals a value for this installation; with a context, for that use alone. */
  seal(text: string, context?: string): string
  /** What works but should be put right: files that others can read. */
  warningsFor(source: CredentialSource | undefined): Promise<readonly string[]>
}

/** No password or key is longer; a larger file is a mistake. */
const maxFileBytes = 65_536

export function openVault(options: VaultOptions): Vault {
  const { env, baseDirectory, home } = options
  const readVault = createVaultReader(env, options.now ?? Date.now)
  let key: Uint8Array | undefined
  const sealingKey = (): Uint8Array => (key ??= installationKey(home))

  const valueOf = async (source: SecretSource, context: string): Promise<string> => {
    const fault = sourceFault(source)
    if (fault !== undefined) throw new Misconfigured('bad-secret-source', fault)
    if (source.env !== undefined) return fromEnvironment(env, source.env)
    if (source.file !== undefined) return await fromFile(resolve(baseDirectory, source.file))
    if (source.sealed !== undefined) return openSealed(sealingKey(), source.sealed, context)
    return await readVault(source.vault ?? '')
  }
  const read = async (source: SecretSource, context: string): Promise<Secret> => secret(await valueOf(source, context))

  return {
    credentialFor: async (source, context = '') => {
      if (source === undefined) return { kind: 'none' }
      if ('header' in source) return { kind: 'header', name: source.header.name, value: await read(source.header.value, context) }
      if (!('username' in source)) return await ofHttp(source, (each) => read(each, context))
      const { username } = source
      if ('password' in source) return { kind: 'password', username, password: await read(source.password, context) }
      const privateKey = await read(source.privateKey, context)
      const { passphrase, certificate } = source
      return {
        kind: 'privateKey',
        username,
        privateKey,
        ...(passphrase === undefined ? {} : { passphrase: await read(passphrase, context) }),
        ...(certificate === undefined ? {} : { certificate: (await valueOf(certificate, context)).trim() }),
      }
    },
    seal: (text, context = '') => sealText(sealingKey(), text, context),
    warningsFor: async (source) => {
      const warnings = await Promise.all(sourcesIn(source).map((each) => fileWarning(each, baseDirectory)))
      return warnings.filter((warning) => warning !== undefined)
    },
  }
}

type HttpSource = Exclude<CredentialSource, { readonly username: string } | { readonly header: object }>

async function ofHttp(source: HttpSource, read: (source: SecretSource) => Promise<Secret>): Promise<Credential> {
  if ('bearer' in source) return { kind: 'bearer', token: await read(source.bearer) }
  if ('certificate' in source) {
    return {
      kind: 'certificate',
      certificate: (await read(source.certificate)).reveal(),
      privateKey: await read(source.privateKey),
    }
  }
  if ('oauth2' in source) {
    const { tokenUrl, clientId, clientSecret, scope, audience } = source.oauth2
    const asked = { ...(scope === undefined ? {} : { scope }), ...(audience === undefined ? {} : { audience }) }
    return { kind: 'oauth2', tokenUrl, clientId, clientSecret: await read(clientSecret), ...asked }
  }
  const { accessKeyId, secretAccessKey, sessionToken, region, service } = source.aws
  const keys = { accessKeyId, secretAccessKey: await read(secretAccessKey), region, service }
  return { kind: 'aws', ...keys, ...(sessionToken === undefined ? {} : { sessionToken: await read(sessionToken) }) }
}

function sourcesIn(source: CredentialSource | undefined): readonly SecretSource[] {
  if (source === undefined) return []
  if ('header' in source) return [source.header.value]
  if ('bearer' in source) return [source.bearer]
  if ('oauth2' in source) return [source.oauth2.clientSecret]
  if ('certificate' in source) return [source.privateKey]
  if ('aws' in source)
    return [source.aws.secretAccessKey, ...(source.aws.sessionToken === undefined ? [] : [source.aws.sessionToken])]
  if ('password' in source) return [source.password]
  return source.passphrase === undefined ? [source.privateKey] : [source.privateKey, source.passphrase]
}

function fromEnvironment(env: Environment, name: string): string {
  const value = env[name]
  if (value === undefined || value === '') throw new Misconfigured('no-secret', `the environment variable ${name} is not set`)
  return value
}

async function fromFile(path: string): Promise<string> {
  let text: string
  try {
    const { size } = await stat(path)
    if (size > maxFileBytes) throw new Misconfigured('no-secret', `${path} is too large to hold a secret`)
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Misconfigured) throw error
    throw new Misconfigured('no-secret', `the file ${path} cannot be read`, { cause: error })
  }
  const value = text.replace(/\r?\n$/, '')
  if (value === '') throw new Misconfigured('no-secret', `the file ${path} is empty`)
  return value
}

async function fileWarning(source: SecretSource, baseDirectory: string): Promise<string | undefined> {
  if (source.file === undefined) return undefined
  const path = resolve(baseDirectory, source.file)
  try {
    const { mode } = await stat(path)
    return (mode & 0o077) === 0 ? undefined : `others can read ${path}; run: chmod 600 ${path}`
  } catch {
    return `the file ${path} cannot be read`
  }
}
