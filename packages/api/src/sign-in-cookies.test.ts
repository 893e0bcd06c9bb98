// Signing in at a provider is two pages gone to, which tell no origin; behind a proxy that ends TLS their cookies are TLS's alone all the same.

import { expect, it } from 'vitest'
import { apiFixture } from './server.fixture.js'
import { buildApi } from './server.js'

async function cookiesAt(consoleAddress: string): Promise<{ readonly sent: string; readonly back: readonly string[] }> {
  const app = buildApi({ ...apiFixture().parts, consoleAddress: () => consoleAddress })
  const host = 'gateway.example'
  const sent = await app.inject({ method: 'GET', url: '/api/v1/sign-in/with/corp', headers: { host } })
  const cookie = String(sent.headers['set-cookie'])
  const headers = { host, cookie: cookie.split(';')[0] ?? '' }
  const back = await app.inject({ method: 'GET', url: '/api/v1/sign-in/back?code=c&state=s', headers })
  return { sent: cookie, back: [back.headers['set-cookie']].flat().map(String) }
}

it('go by TLS alone where browsers come to the console by https', async () => {
  const { sent, back } = await cookiesAt('https://gateway.example')
  expect(sent).toMatch(/^sallyport-login=sealed; .*SameSite=Lax; Secure$/)
  expect(back[0]).toMatch(/^__Host-sallyport=\S{40,}; Path=\/; .*SameSite=Strict; Secure$/)
  expect(back[1]).toMatch(/^sallyport-login=; .*Max-Age=0; .*; Secure$/)
})

it('go by clear HTTP where the console has nothing else', async () => {
  const { sent, back } = await cookiesAt('http://gateway.example')
  expect([sent, ...back].join()).not.toMatch(/Secure|__Host-/)
  expect(back[0]).toMatch(/^sallyport=\S{40,};/)
})
