// Where credentials come from, and that no error shows one. The HashiCorp part speaks to a server that answers as Vault's KV v2 does.

import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { isKnownError } from '@sallyport/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sourceFault } from './source.js'
import { openVault } from './vault.js'
import type { Credential } from '@sallyport/core'
import type { CredentialSource, SecretSource } from './source.js'
import type { Vault } from './vault.js'

const planted = 'hunter2-planted-secret'
let directory: string
let env: Record<string, string | undefined>
let now: number
let vault: Vault

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-vault-'))
  env = {}
  now = 0
  vault = openVault({ home: directory, env, baseDirectory: directory, now: () => now })
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const password = (source: SecretSource): CredentialSource => ({ username: 'app', password: source })

async function value(source: SecretSource, context?: string): Promise<string> {
  const credential: Credential = await vault.credentialFor(password(source), context)
  expect(inspect(credential, { depth: 9 }) + JSON.stringify(credential)).not.toContain('hunter2')
  return credential.kind === 'password' ? credential.password.reveal() : ''
}

async function failure(attempt: () => Promise<unknown>): Promise<string> {
  const error = await attempt().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(isKnownError(error)).toBe(true)
  expect(inspect(error, { depth: 9 })).not.toContain('hunter2')
  return isKnownError(error) ? `${error.code}: ${error.message}` : ''
}

describe('sources', () => {
  it('the environment, read anew each time', async () => {
    env['ORDERS_PASSWORD'] = planted
    expect(await value({ env: 'ORDERS_PASSWORD' })).toBe(planted)
    env['ORDERS_PASSWORD'] = 'rotated'
    expect(await value({ env: 'ORDERS_PASSWORD' })).toBe('rotated')
    env['ORDERS_PASSWORD'] = ''
    expect(await failure(() => value({ env: 'ORDERS_PASSWORD' }))).toMatch(/ORDERS_PASSWORD is not set/)
  })

  it('a file beside the configuration, without the newline at its end', async () => {
    writeFileSync(join(directory, 'pw'), ` ${planted}\n`)
    expect(await value({ file: './pw' })).toBe(` ${planted}`)
    writeFileSync(join(directory, 'pw'), `${planted}\r\n`)
    expect(await value({ file: join(directory, 'pw') })).toBe(planted)
    writeFileSync(join(directory, 'pw'), '\n')
    expect(await failure(() => value({ file: 'pw' }))).toMatch(/is empty/)
    writeFileSync(join(directory, 'pw'), 'x'.repeat(70_000))
    expect(await failure(() => value({ file: 'pw' }))).toMatch(/too large/)
    expect(await failure(() => value({ file: 'none' }))).toMatch(/none cannot be read/)
    expect(await failure(() => value({ file: '.' }))).toMatch(/cannot be read/)
  })

  it('files others can read are warned of', async () => {
    writeFileSync(join(directory, 'pw'), planted)
    chmodSync(join(directory, 'pw'), 0o644)
    expect(await vault.warningsFor(password({ file: 'pw' }))).toEqual([
      `others can read ${directory}/pw; run: chmod 600 ${directory}/pw`,
    ])
    chmodSync(join(directory, 'pw'), 0o600)
    expect(await vault.warningsFor(password({ file: 'pw' }))).toEqual([])
    expect(await vault.warningsFor({ username: 'u', privateKey: { file: 'a' }, passphrase: { file: 'b' } })).toHaveLength(2)
    expect(await vault.warningsFor(undefined)).toEqual([])
  })

  it('kinds of credential', async () => {
    env['A'] = 'one'
    env['B'] = 'two'
    expect(await vault.credentialFor(undefined)).toEqual({ kind: 'none' })
    const header = await vault.credentialFor({ header: { name: 'Authorization', value: { env: 'A' } } })
    expect(header.kind === 'header' && [header.name, header.value.reveal()]).toEqual(['Authorization', 'one'])
    const bare = await vault.credentialFor({ username: 'u', privateKey: { env: 'A' } })
    expect(bare).not.toHaveProperty('passphrase')
    const key = await vault.credentialFor({ username: 'u', privateKey: { env: 'A' }, passphrase: { env: 'B' } })
    expect(key.kind === 'privateKey' && [key.privateKey.reveal(), key.passphrase?.reveal()]).toEqual(['one', 'two'])
  })

  it.each<[string, unknown, RegExp]>([
    ['a literal', planted, /must not stand in the configuration; write \{ env: NAME \}/],
    ['nothing', undefined, /must not stand/],
    ['an empty mapping', {}, /exactly one source/],
    ['two at once', { env: 'A', file: 'b' }, /exactly one source/],
    ['another source', { literal: planted }, /no such source/],
    ['an empty name', { env: '' }, /env needs a text/],
    ['a place without field', { vault: 'secret/orders' }, /path#field/],
  ])('%s is refused, and not quoted', async (_, source, message) => {
    const said = sourceFault(source)
    expect(said).toMatch(message)
    expect(said).not.toContain('hunter2')
    expect(await failure(() => value(source as SecretSource))).toMatch(message)
  })
})

describe('sealing', () => {
  it('is opened by the installation that sealed, for the use it sealed for', async () => {
    const sealed = vault.seal(planted, 'orders')
    expect(sealed).toMatch(/^v1\.[\w-]+$/)
    expect(sealed).not.toContain('hunter2')
    expect(await value({ sealed }, 'orders')).toBe(planted)
    expect(await value({ sealed: `${sealed}\n` }, 'orders')).toBe(planted)
    expect(await failure(() => value({ sealed }, 'crm'))).toMatch(/cannot be opened/)
    expect(await failure(() => value({ sealed }))).toMatch(/cannot be opened/)
    expect(vault.seal(planted, 'orders')).not.toBe(sealed)
    const restarted = openVault({ home: directory, env, baseDirectory: directory })
    const credential = await restarted.credentialFor(password({ sealed }), 'orders')
    expect(credential.kind === 'password' && credential.password.reveal()).toBe(planted)
  })

  it('is refused where one bit was altered, or the text is something else', async () => {
    const sealed = vault.seal('x')
    const bytes = Buffer.from(sealed.slice(3), 'base64url')
    for (let index = 0; index < bytes.length; index += 1) {
      const altered = Buffer.from(bytes)
      altered[index] = (altered[index] ?? 0) ^ 1
      expect(await failure(() => value({ sealed: `v1.${altered.toString('base64url')}` }))).toMatch(/bad-sealed/)
    }
    for (const text of ['v2.AAAA', 'v1.', 'v1.AAAA', planted, `v1.${bytes.subarray(0, 20).toString('base64url')}`]) {
      expect(await failure(() => value({ sealed: text }))).toMatch(/bad-sealed/)
    }
  })

  it('keeps its key to itself', async () => {
    vault.seal('x')
    const path = join(directory, 'keys', 'vault.key')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(directory, 'keys')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(directory, 'keys'))).toEqual(['vault.key'])
    expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
    const other = (): Vault => openVault({ home: directory, env, baseDirectory: directory })
    chmodSync(path, 0o644)
    expect(await failure(() => Promise.resolve().then(() => other().seal('x')))).toMatch(/others can read/)
    chmodSync(path, 0o600)
    writeFileSync(path, 'short')
    expect(await failure(() => Promise.resolve().then(() => other().seal('x')))).toMatch(/does not hold a key/)
  })
})

describe('HashiCorp Vault', () => {
  let server: Server
  let requests: {
    readonly method: string | undefined
    readonly url: string | undefined
    readonly headers: IncomingMessage['headers']
  }[]
  let special: ((response: ServerResponse) => void) | undefined
  let secrets: Record<string, Record<string, unknown>>

  beforeEach(async () => {
    requests = []
    special = undefined
    secrets = { '/v1/secret/data/orders': { password: planted, port: 5432 }, '/v1/secret/data/a%20b/c': { key: 'deep' } }
    server = createServer((request, response) => {
      requests.push({ method: request.method, url: request.url, headers: request.headers })
      if (special !== undefined) return special(response)
      const reply = (status: number, body: object): void => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      }
      if (request.headers['x-vault-token'] !== 'hvs.token') return reply(403, { errors: ['permission denied'] })
      const data = secrets[request.url ?? '']
      if (data === undefined) return reply(404, { errors: [] })
      reply(200, { request_id: 'r', data: { data, metadata: { version: 3, destroyed: false } } })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const bound = server.address()
    env['VAULT_ADDR'] = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`
    env['VAULT_TOKEN'] = 'hvs.token'
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it('is asked as its API wants', async () => {
    env['VAULT_NAMESPACE'] = 'team'
    expect(await value({ vault: 'secret/orders#password' })).toBe(planted)
    expect(requests).toMatchObject([
      {
        method: 'GET',
        url: '/v1/secret/data/orders',
        headers: { 'x-vault-token': 'hvs.token', 'x-vault-request': 'true', 'x-vault-namespace': 'team' },
      },
    ])
    expect(await value({ vault: 'secret/data/a b/c#key' })).toBe('deep')
  })

  it('is asked once for a burst, again after 30 seconds', async () => {
    const burst = await Promise.all(Array.from({ length: 20 }, () => value({ vault: 'secret/orders#password' })))
    expect(new Set(burst)).toEqual(new Set([planted]))
    expect(requests).toHaveLength(1)
    secrets['/v1/secret/data/orders'] = { password: 'rotated' }
    now = 29_999
    expect(await value({ vault: 'secret/orders#password' })).toBe(planted)
    now = 30_000
    expect(await value({ vault: 'secret/orders#password' })).toBe('rotated')
    expect(requests).toHaveLength(2)
  })

  it('says what is missing', async () => {
    expect(await failure(() => value({ vault: 'secret/orders#user' }))).toMatch(/no text in the field user/)
    expect(await failure(() => value({ vault: 'secret/orders#port' }))).toMatch(/no text in the field port/)
    expect(await failure(() => value({ vault: 'secret/orders#constructor' }))).toMatch(/no text in the field/)
    expect(await failure(() => value({ vault: 'secret/none#x' }))).toMatch(/nothing at secret\/none/)
    expect(await failure(() => value({ vault: '../sys#x' }))).toMatch(/not a path/)
    expect(await failure(() => value({ vault: 'alone#x' }))).toMatch(/not a path/)
  })

  it('a failure is not remembered', async () => {
    env['VAULT_TOKEN'] = 'hvs.hunter2'
    expect(await failure(() => value({ vault: 'secret/orders#password' }))).toMatch(/does not let VAULT_TOKEN read/)
    env['VAULT_TOKEN'] = 'hvs.token'
    expect(await value({ vault: 'secret/orders#password' })).toBe(planted)
  })

  it.each<[string, (response: ServerResponse) => void, RegExp]>([
    ['is sealed', (response) => response.writeHead(503).end('{"errors":["Vault is sealed"]}'), /answered 503/],
    ['redirects', (response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(), /cannot be reached/],
    ['answers no JSON', (response) => response.writeHead(200).end(planted), /not JSON/],
    [
      'answers as version 1 does',
      (response) => response.writeHead(200).end(JSON.stringify({ data: { password: planted } })),
      /KV version 2/,
    ],
    [
      'answers with a deleted version',
      (response) => response.writeHead(200).end(JSON.stringify({ data: { data: null } })),
      /deleted/,
    ],
    ['answers without end', (response) => response.writeHead(200).end(planted.repeat(100_000)), /cannot be reached/],
    ['hangs up', (response) => response.destroy(), /cannot be reached/],
  ])('that %s gives no credential', async (_, answer, message) => {
    special = answer
    expect(await failure(() => value({ vault: 'secret/orders#password' }))).toMatch(message)
  })

  it.each<[string, Record<string, string | undefined>, RegExp]>([
    ['no address', { VAULT_ADDR: undefined }, /VAULT_ADDR and VAULT_TOKEN must be set/],
    ['no token', { VAULT_TOKEN: '' }, /must be set/],
    ['a clear connection to another machine', { VAULT_ADDR: 'http://vault.internal:8200' }, /https/],
    ['no URL', { VAULT_ADDR: 'vault' }, /not a URL/],
    ['a token of two lines', { VAULT_TOKEN: 'hunter2\nhunter2' }, /VAULT_TOKEN is not a token/],
  ])('with %s is not asked', async (_, change, message) => {
    Object.assign(env, change)
    expect(await failure(() => value({ vault: 'secret/orders#password' }))).toMatch(message)
    expect(requests).toEqual([])
  })
})
