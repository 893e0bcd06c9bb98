// The console's side of the API: pages and their headers, signing in and out, and what a cookie may and may not do.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Denied, secret } from '@sallyport/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiFixture } from './server.fixture.js'
import { SignIns } from './sign-in.js'
import { buildApi } from './server.js'

let site = ''

beforeAll(() => {
  site = mkdtempSync(join(tmpdir(), 'sallyport-site-'))
  mkdirSync(join(site, 'assets'))
  writeFileSync(join(site, 'index.html'), '<!doctype html><title>page</title>')
  writeFileSync(join(site, 'assets', 'index-abc.js'), 'let a')
  writeFileSync(join(site, 'assets', 'index-abc.css'), 'p {}')
  writeFileSync(join(site, 'notes.txt'), 'not for anybody')
})

afterAll(() => rmSync(site, { recursive: true, force: true }))

const HOST = '127.0.0.1:7080'

function open() {
  const { parts, did } = apiFixture()
  const known = new Set(['token-of-ann'])
  const app = buildApi({
    ...parts,
    site,
    prove: async (token, client) => {
      if (token.reveal() === 'token-of-ann' && !known.has('token-of-ann')) throw new Denied('unauthenticated', 'revoked')
      return parts.prove(token, client)
    },
  })
  const call = (method: 'GET' | 'POST', url: string, headers: Readonly<Record<string, string>> = {}, payload?: object) =>
    app.inject({ method, url, headers: { host: HOST, ...headers }, ...(payload === undefined ? {} : { payload }) })
  const signIn = async (token = 'token-of-ann', headers: Readonly<Record<string, string>> = {}) =>
    call('POST', '/api/v1/sign-in', { 'sallyport-console': '1', ...headers }, { token })
  const cookieOf = (reply: Awaited<ReturnType<typeof signIn>>): string => String(reply.headers['set-cookie']).split(';')[0] ?? ''
  return { call, signIn, cookieOf, revoke: () => known.delete('token-of-ann'), did }
}

describe('pages', () => {
  it.each([
    '/',
    '/reviews',
    '/reviews/abc',
    '/sessions',
    '/sessions/s1?statement=2',
    '/search?text=x',
    '/targets',
    '/rules',
    '/sign-in',
  ])('%s is the console, under a policy that lets nothing else in', async (path) => {
    const { statusCode, headers, body } = await open().call('GET', path)
    expect([statusCode, headers['content-type'], headers['cache-control']]).toEqual([200, 'text/html; charset=utf-8', 'no-store'])
    expect(body).toContain('<title>page</title>')
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).toContain("require-trusted-types-for 'script'; trusted-types 'none'")
    expect(policy).not.toMatch(/unsafe|https?:|data:|\*/)
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    })
  })

  it.each([
    ['/assets/index-abc.js', 'text/javascript; charset=utf-8'],
    ['/assets/index-abc.css', 'text/css; charset=utf-8'],
  ])('%s is kept by browsers for good', async (path, type) => {
    const { statusCode, headers } = await open().call('GET', path)
    expect([statusCode, headers['content-type']]).toEqual([200, type])
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(headers['x-content-type-options']).toBe('nosniff')
  })

  it.each([
    '/notes.txt',
    '/index.html',
    '/assets/',
    '/assets/../notes.txt',
    '/assets/..%2fnotes.txt',
    '/assets/%2e%2e/%2e%2e/etc/passwd',
    '//etc/passwd',
    '/assets/index-abc.js%00.html',
    '/nothing',
    '/reviews/a/b',
  ])('%s is not there', async (path) => {
    expect((await open().call('GET', path)).statusCode).toBe(404)
  })

  it('are for our own name only', async () => {
    expect((await open().call('GET', '/', { host: 'evil.example' })).statusCode).toBe(421)
  })

  it('are no part of the API’s answers, which may not be shown as pages', async () => {
    const { headers } = await open().call('GET', '/api/v1/health')
    expect(headers['content-security-policy']).toBe("default-src 'none'; frame-ancestors 'none'")
  })

  it('are refused at the start where they were not built', () => {
    const { parts } = apiFixture()
    expect(() => buildApi({ ...parts, site: join(site, 'assets') })).toThrow('no index.html')
    expect(() => buildApi({ ...parts, site: join(site, 'missing') })).toThrow('cannot be read')
  })
})

describe('signing in', () => {
  it('gives a cookie that no script reads, no other site sends, and that does not hold the token', async () => {
    const { signIn } = open()
    const reply = await signIn()
    const cookie = String(reply.headers['set-cookie'])
    expect(reply.statusCode).toBe(200)
    expect(cookie).toMatch(/^sallyport-7080=[\w-]{60,}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/)
    expect(cookie + reply.body).not.toContain('token-of-ann')
    expect(Buffer.from(cookie.slice(15).split(';')[0] ?? '', 'base64url').toString('latin1')).not.toContain('token')
  })

  it('makes it a cookie of TLS alone where the browser came by TLS', async () => {
    const reply = await open().signIn('token-of-ann', { origin: `https://${HOST}` })
    expect(reply.headers['set-cookie']).toMatch(/^__Host-sallyport-7080=\S+; Path=\/; .*; SameSite=Strict; Secure$/)
  })

  it.each([
    ['a wrong token', 'wrong', { 'sallyport-console': '1' }, 401],
    ['no header of the console', 'token-of-ann', {}, 403],
    ['another origin', 'token-of-ann', { 'sallyport-console': '1', origin: 'http://127.0.0.1:3000' }, 403],
    ['no token', '', { 'sallyport-console': '1' }, 400],
    ['a token too long', 'x'.repeat(17_000), { 'sallyport-console': '1' }, 400],
  ])('is refused to %s', async (_name, token, headers, status) => {
    const reply = await open().call('POST', '/api/v1/sign-in', headers, { token })
    expect([reply.statusCode, reply.headers['set-cookie']]).toEqual([status, undefined])
  })

  it('stops guessing', async () => {
    const { signIn } = open()
    for (let i = 0; i < 20; i++) expect((await signIn(`guess-${i}`)).statusCode).toBe(401)
    expect((await signIn('token-of-ann')).statusCode).toBe(429)
    expect((await signIn('admin-token')).statusCode).toBe(200)
  })

  it('counts no failure for a page that is opened by somebody who is not signed in', async () => {
    const { call, signIn } = open()
    for (let i = 0; i < 30; i++) expect((await call('GET', '/api/v1/whoami', { 'sallyport-console': '1' })).statusCode).toBe(401)
    expect((await signIn()).statusCode).toBe(200)
  })
})

describe('a cookie', () => {
  it('calls as its token does, with the header of the console and not without', async () => {
    const { call, signIn, cookieOf } = open()
    const cookie = cookieOf(await signIn())
    const reply = await call('GET', '/api/v1/whoami', { cookie: `other=1; ${cookie}`, 'sallyport-console': '1' })
    expect([reply.statusCode, JSON.parse(reply.body)]).toMatchObject([200, { name: 'ann' }])
    for (const [method, path] of [
      ['GET', '/whoami'],
      ['POST', '/reviews/r1/approve'],
      ['POST', '/sessions/s1/end'],
      ['POST', '/sign-out'],
    ] as const)
      expect((await call(method, `/api/v1${path}`, { cookie }, method === 'POST' ? {} : undefined)).statusCode).toBe(403)
  })

  it('is of no use from another origin', async () => {
    const { call, signIn, cookieOf } = open()
    const headers = { cookie: cookieOf(await signIn()), 'sallyport-console': '1', origin: 'http://127.0.0.1:3000' }
    expect((await call('POST', '/api/v1/sessions/s1/end', headers, {})).statusCode).toBe(403)
  })

  it('does not hide a token that is shown as well', async () => {
    const { call, signIn, cookieOf } = open()
    const headers = { cookie: cookieOf(await signIn()), authorization: 'Bearer admin-token' }
    expect(JSON.parse((await call('GET', '/api/v1/whoami', headers)).body)).toMatchObject({ name: 'admin' })
  })

  it('ends with its token', async () => {
    const { call, signIn, cookieOf, revoke } = open()
    const headers = { cookie: cookieOf(await signIn()), 'sallyport-console': '1' }
    expect((await call('GET', '/api/v1/whoami', headers)).statusCode).toBe(200)
    revoke()
    for (let i = 0; i < 30; i++) expect((await call('GET', '/api/v1/whoami', headers)).statusCode).toBe(401)
  })

  it('ends when its owner signs out, and so does every copy', async () => {
    const { call, signIn, cookieOf } = open()
    const headers = { cookie: cookieOf(await signIn()), 'sallyport-console': '1' }
    const out = await call('POST', '/api/v1/sign-out', headers, {})
    expect([out.statusCode, out.headers['set-cookie']]).toEqual([
      200,
      'sallyport-7080=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict',
    ])
    expect((await call('GET', '/api/v1/whoami', headers)).statusCode).toBe(401)
    const padded = { ...headers, cookie: `${headers.cookie}=` }
    expect((await call('GET', '/api/v1/whoami', padded)).statusCode).toBe(401)
    expect((await signIn()).statusCode).toBe(200)
  })
})

describe('the seal', () => {
  const key = Buffer.alloc(32, 7)

  it('is opened by its key, for a day, and by nothing that differs in a bit', () => {
    let now = 1_000_000
    const signIns = new SignIns(key, () => now)
    const sealed = signIns.seal(secret('sp_token'))
    expect(signIns.open(sealed)?.reveal()).toBe('sp_token')
    expect(new SignIns(Buffer.alloc(32, 8), () => now).open(sealed)).toBeUndefined()
    const bytes = Buffer.from(sealed, 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const other = Buffer.from(bytes)
      other[at] = (other[at] ?? 0) ^ 1
      expect(signIns.open(other.toString('base64url'))).toBeUndefined()
    }
    for (const end of [0, 10, 36, bytes.length - 1])
      expect(signIns.open(bytes.subarray(0, end).toString('base64url'))).toBeUndefined()
    now += 12 * 3600 * 1000
    expect(signIns.open(sealed)).toBeUndefined()
  })

  it('never looks the same twice, and does not fit what is too long for a browser', () => {
    const signIns = new SignIns(key)
    expect(signIns.seal(secret('t'))).not.toBe(signIns.seal(secret('t')))
    expect(() => signIns.seal(secret('x'.repeat(4000)))).toThrow('too long for a cookie')
  })
})
