// HashiCorp Vault, KV version 2, over its HTTP API: GET /v1/MOUNT/data/PATH with the token of the environment.
// https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version

import { Misconfigured, Remembered, Unreachable } from '@sallyport/core'

export type Environment = Readonly<Record<string, string | undefined>>

/** Answers with the field's value. */
export type VaultReader = (place: string) => Promise<string>

const timeoutMs = 5_000
const maxResponseBytes = 1024 * 1024
/** Long enough that a burst of connections asks once, short enough that a rotated password counts soon. */
const cacheMs = 30_000
const cachedPaths = 1_000

interface Cached {
  readonly fields: Promise<Readonly<Record<string, unknown>>>
  readonly at: number
}

export function createVaultReader(env: Environment, now: () => number): VaultReader {
  const cache = new Remembered<string, Cached>({ entries: cachedPaths, weight: cachedPaths })
  return async (place) => {
    const [path = '', field = ''] = place.split('#')
    const before = cache.get(path)
    const fresh = before !== undefined && now() - before.at < cacheMs
    const fields = fresh ? before.fields : readSecret(env, path)
    if (!fresh) {
      cache.set(path, { fields, at: now() }, 1)
      // A failure is not remembered; the caller below hears of it.
      fields.catch(() => cache.get(path)?.fields === fields && cache.delete(path))
    }
    const value = Object.getOwnPropertyDescriptor(await fields, field)?.value as unknown
    if (typeof value !== 'string' || value === '')
      throw new Misconfigured('no-secret', `the vault's ${path} has no text in the field ${field}`)
    return value
  }
}

async function readSecret(env: Environment, path: string): Promise<Readonly<Record<string, unknown>>> {
  const { url, token } = requestFor(env, path)
  const namespace = env['VAULT_NAMESPACE']
  let response: Response
  let body: string
  try {
    response = await fetch(url, {
      headers: {
        'x-vault-token': token,
        'x-vault-request': 'true',
        ...(namespace === undefined || namespace === '' ? {} : { 'x-vault-namespace': namespace }),
      },
      // The token must not follow a redirect to another host.
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    body = await boundedText(response)
  } catch (error) {
    throw new Unreachable('vault-unreachable', `the vault at ${url.origin} cannot be reached`, { cause: error })
  }
  if (response.status === 404) throw new Misconfigured('no-secret', `the vault has nothing at ${path}`)
  if (response.status === 403) throw new Misconfigured('vault-refused', `the vault does not let VAULT_TOKEN read ${path}`)
  if (response.status !== 200) throw new Unreachable('vault-unreachable', `the vault answered ${response.status} for ${path}`)
  return fieldsOf(body, path)
}

/** `secret/orders`, as Vault's own command line has it, or `secret/data/orders`, as its API has it (also for mounts of several parts). */
function requestFor(env: Environment, path: string): { readonly url: URL; readonly token: string } {
  const address = env['VAULT_ADDR'] ?? ''
  const token = (env['VAULT_TOKEN'] ?? '').trim()
  if (address === '' || token === '')
    throw new Misconfigured('no-vault', 'VAULT_ADDR and VAULT_TOKEN must be set to read from a vault')
  // A token that no header can carry would be quoted by the error that says so.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Misconfigured('no-vault', 'VAULT_TOKEN is not a token')
  if (!URL.canParse(address)) throw new Misconfigured('no-vault', 'VAULT_ADDR is not a URL')
  const base = new URL(address)
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(base.hostname)
  if (base.protocol !== 'https:' && !(base.protocol === 'http:' && local)) {
    throw new Misconfigured('no-vault', 'VAULT_ADDR must begin with https://, since the token goes there')
  }
  const segments = path.split('/').filter((segment) => segment !== '')
  if (segments.length < 2 || segments.some((segment) => segment === '.' || segment === '..')) {
    throw new Misconfigured('bad-vault-path', `${path} is not a path in a vault; write mount/name#field`)
  }
  const [mount = '', ...rest] = segments
  const full = rest.slice(0, -1).includes('data') ? segments : [mount, 'data', ...rest]
  return { url: new URL(`/v1/${full.map(encodeURIComponent).join('/')}`, base), token }
}

function fieldsOf(body: string, path: string): Readonly<Record<string, unknown>> {
  let document: unknown
  try {
    document = JSON.parse(body)
  } catch {
    // The parser's message would quote the body.
    throw new Unreachable('vault-unreachable', `the vault's answer for ${path} is not JSON`)
  }
  const outer = isRecord(document) ? document['data'] : undefined
  const fields = isRecord(outer) ? outer['data'] : undefined
  if (!isRecord(fields)) throw new Misconfigured('no-secret', `${path} is not a secret of a KV version 2 mount, or was deleted`)
  return fields
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = response.body?.getReader()
  for (;;) {
    const read = await reader?.read()
    if (read === undefined || read.done) return Buffer.concat(chunks).toString('utf8')
    length += read.value.byteLength
    if (length > maxResponseBytes) {
      await reader?.cancel()
      throw new Error('the answer is too long')
    }
    chunks.push(read.value)
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
