// The other files a configuration names: found relative to it, checked for being readable, and certificates read in.

import { X509Certificate, createPrivateKey } from 'node:crypto'
import { accessSync, constants, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { readPublicKeyLine } from '@sallyport/certificates'
import { Malformed } from '@sallyport/core'
import { readOpenapi } from './openapi.js'
import type { Problem } from './references.js'
import type { WrittenConfiguration, WrittenDefinitions, WrittenTarget } from './schema.js'
import { reasonOf } from './text.js'

export interface Resolved<T> {
  readonly value: T
  readonly problems: readonly Problem[]
}

/**
 * Definitions that mean the same wherever they are read: paths made absolute, certificates of authorities put in place of their
 * path. They are kept in the store, where no directory of a configuration file is known any more.
 */
export function resolveDefinitions(definitions: WrittenDefinitions, directory: string): Resolved<WrittenDefinitions> {
  const problems: Problem[] = []
  const targets = definitions.targets.map((target, index) => {
    const resolved = resolveTarget(target, index, directory)
    problems.push(...resolved.problems)
    return resolved.value
  })
  return { value: { ...definitions, targets }, problems }
}

function resolveTarget(target: WrittenTarget, index: number, directory: string): Resolved<WrittenTarget> {
  const at = ['targets', index]
  const credential = withFiles(target.credential, [...at, 'credential'], directory)
  const problems: Problem[] = [...credential.problems]
  // The same form, with its paths made absolute.
  const resolved = { ...target, credential: credential.value } as WrittenTarget
  if (resolved.protocol === 'http' && resolved.openapi !== undefined) {
    const { file, check } = resolved.openapi
    const read = readOpenapi(resolve(directory, file), check)
    if (read.problem !== undefined) problems.push({ path: [...at, 'openapi'], message: read.problem })
    resolved.operations = [...read.operations]
    if (read.schemas !== undefined) resolved.schemas = read.schemas
    delete resolved.openapi
  }
  if (target.tlsAuthorities === undefined) return { value: resolved, problems }
  const authorities = readAuthorities(target.tlsAuthorities, directory)
  if (authorities.problem !== undefined) problems.push({ path: [...at, 'tlsAuthorities'], message: authorities.problem })
  return { value: { ...resolved, tlsAuthorities: authorities.pem }, problems }
}

/** Providers whose clients' secrets are where they are said to be. */
export function providerProblems(providers: WrittenConfiguration['identityProviders'], directory: string): readonly Problem[] {
  return providers.flatMap((provider, index): readonly Problem[] => {
    const at = ['identityProviders', index]
    const { name } = provider
    const earlier = providers.findIndex((each) => each.name === name)
    const taken = `identityProviders[${earlier}] has the name "${name}" already; choose another`
    const problems = earlier < index ? [{ path: [...at, 'name'], message: taken }] : []
    if (provider.kind === 'ssh-ca') return [...problems, ...publicKeyProblems(provider.publicKey, [...at, 'publicKey'])]
    const { clientId, clientSecret } = provider
    return [
      ...problems,
      ...(clientSecret !== undefined && clientId === undefined
        ? [{ path: [...at, 'clientSecret'], message: 'a secret of no client; add clientId' }]
        : []),
      ...withFiles(clientSecret, [...at, 'clientSecret'], directory).problems,
    ]
  })
}

function publicKeyProblems(line: string, path: Problem['path']): readonly Problem[] {
  try {
    readPublicKeyLine(line)
    return []
  } catch (error) {
    return [{ path, message: error instanceof Malformed ? error.message : String(error) }]
  }
}

/** Every `{ file: PATH }` in it made absolute; each that cannot be read is a problem. */
function withFiles(value: unknown, path: Problem['path'], directory: string): Resolved<unknown> {
  if (typeof value !== 'object' || value === null) return { value, problems: [] }
  const entries = Object.entries(value as Readonly<Record<string, unknown>>)
  if (entries.length === 1 && entries[0]?.[0] === 'file' && typeof entries[0][1] === 'string') {
    const file = resolve(directory, entries[0][1])
    const unreadable = unreadableReason(file)
    return {
      value: { file },
      problems: unreadable === undefined ? [] : [{ path: [...path, 'file'], message: `${file}: ${unreadable}` }],
    }
  }
  const inner = entries.map(([key, part]) => [key, withFiles(part, [...path, key], directory)] as const)
  return {
    value: Object.fromEntries(inner.map(([key, part]) => [key, part.value])),
    problems: inner.flatMap(([, part]) => part.problems),
  }
}

function unreadableReason(file: string): string | undefined {
  try {
    accessSync(file, constants.R_OK)
    return undefined
  } catch (error) {
    return reasonOf(error)
  }
}

function readAuthorities(written: string, directory: string): { readonly pem: string; readonly problem?: string } {
  let pem = written
  if (!written.includes('-----BEGIN ')) {
    const file = resolve(directory, written)
    try {
      pem = readFileSync(file, 'utf8')
    } catch (error) {
      return { pem: '', problem: `${file}: ${reasonOf(error)}` }
    }
  }
  try {
    void new X509Certificate(pem)
    return { pem }
  } catch {
    return { pem: '', problem: 'no PEM certificate in it; give the certificates of the authorities to trust' }
  }
}

/** The certificate and key the gateway shows, where the operator brings their own. */
export function resolveTls(
  tls: WrittenConfiguration['tls'],
  directory: string,
): Resolved<{ certificate: string; key: string } | undefined> {
  if (tls === undefined) return { value: undefined, problems: [] }
  const problems: Problem[] = []
  const read = (name: 'certificate' | 'key'): string => {
    const file = resolve(directory, tls[name])
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      problems.push({ path: ['tls', name], message: `${file}: ${reasonOf(error)}` })
      return ''
    }
  }
  const value = { certificate: read('certificate'), key: read('key') }
  if (problems.length === 0) problems.push(...pairProblems(value))
  return { value, problems }
}

function pairProblems(pair: { readonly certificate: string; readonly key: string }): readonly Problem[] {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pair.certificate)
  } catch {
    return [{ path: ['tls', 'certificate'], message: 'no PEM certificate in the file; give the certificate, then its chain' }]
  }
  try {
    if (certificate.checkPrivateKey(createPrivateKey(pair.key))) return []
    return [{ path: ['tls', 'key'], message: 'the key is not the one of the certificate; give the matching key' }]
  } catch {
    return [{ path: ['tls', 'key'], message: 'no PEM private key without passphrase in the file; give one' }]
  }
}
