// A web application in a real browser, with the gateway before it: by path, by host, and as the browser's proxy. Sign-in by form and cookie,
// redirects, relative links, scripts that post, and a rule that is felt in the page.

import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { makeCertificates } from '../backends/certificates.js'
import { openHttpStage, type HttpStage } from '../backends/http-stage.js'
import { lacks, program } from '../backends/programs.js'

const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-browser-'))
const missing = lacks('chromium')
let stage: HttpStage
let secured: Server
let browser: Browser

const html = (body: string): string => `<!doctype html><title>Shop</title>${body}`

/** As a framework of the web would: it believes its own Host, keeps a session in a cookie, and takes posts of its own pages alone. */
function play(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const path = (request.url ?? '').split('?')[0] ?? ''
  const own = `${'encrypted' in request.socket ? 'https' : 'http'}://${request.headers.host ?? ''}`
  const page = (text: string): void => void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(text)
  if (path === '/login' && request.method === 'GET')
    return page(html('<form method="post" action="login"><label>Name <input name="name"></label><button>Sign in</button></form>'))
  if (request.method === 'POST' && request.headers.origin !== own) {
    response.writeHead(403).end(`a post from ${String(request.headers.origin)}, not ${own}`)
    return
  }
  if (path === '/login') {
    const name = new URLSearchParams(body.toString()).get('name') ?? ''
    response
      .writeHead(303, {
        location: `${own}/home`,
        'set-cookie': [`sid=${name}; Path=/; HttpOnly; SameSite=Lax`, 'theme=dark; Path=/home'],
      })
      .end()
    return
  }
  const cookie = request.headers.cookie ?? ''
  if (!cookie.includes('sid=ada')) {
    response.writeHead(302, { location: '/login' }).end()
    return
  }
  if (path === '/home')
    return page(html(`<h1>Hello ${cookie}</h1><a href="orders/7">Order 7</a><p id="said"></p><script src="app.js"></script>`))
  if (path === '/app.js') {
    response.writeHead(200, { 'content-type': 'text/javascript' }).end(`
const said = document.querySelector('#said')
const tell = async (answer) => { said.textContent += answer.status + ' ' + (await answer.text()) + ';' }
const post = (path) => fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
post('api/items').then(tell).then(() => fetch('api/people')).then(tell).then(() => post('api/forbidden')).then(tell)`)
    return
  }
  if (path === '/orders/7') return page(html('<h1>Order 7</h1><a href="../home">Back</a>'))
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify(path === '/api/people' ? { email: 'ada@example.test' } : { path }))
}

beforeAll(async () => {
  if (missing) return
  await makeCertificates(directory, directory)
  const tls = { cert: readFileSync(join(directory, 'server.crt')), key: readFileSync(join(directory, 'server.key')) }
  secured = createServer(tls, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => play(request, response, Buffer.concat(chunks)))
  })
  await new Promise<void>((done) => secured.listen(0, '127.0.0.1', done))
  stage = await openHttpStage({
    play,
    targets: () =>
      `  - { name: safe, protocol: http, address: "https://localhost:${(secured.address() as AddressInfo).port}", tlsAuthorities: "${directory}/authority.crt" }\n`,
    rules: `
  - { name: forbidden, what: { paths: ["/api/forbidden"] }, then: deny, reason: Not for agents. }
  - { name: mails, what: { paths: ["/api/*"], fields: ["*email"] }, then: mask }
`,
  })
  const authority = new X509Certificate((await stage.gateway.cli(['ca'])).stdout)
  // This authority alone is trusted besides the system's.
  const trusted = createHash('sha256')
    .update(authority.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64')
  browser = await chromium.launch({
    executablePath: program('chromium'),
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      `--ignore-certificate-errors-spki-list=${trusted}`,
    ],
  })
})

afterAll(async () => {
  if (missing) return
  await browser.close()
  await stage.close()
  secured.closeAllConnections()
  secured.close()
  rmSync(directory, { recursive: true })
})

async function open(options: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext(options)
  onTestFinished(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  return page
}

/** The same walk, whichever way the application is reached. `base`: what stands before its paths. */
async function walk(page: Page, base: string): Promise<void> {
  await page.goto(`${base}/home`)
  expect(page.url()).toBe(`${base}/login`)
  await page.getByLabel('Name').fill('ada')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Hello' }).waitFor()
  expect(page.url()).toBe(`${base}/home`)
  expect(await page.getByRole('heading').innerText()).toMatch(/sid=ada.*theme=dark|theme=dark.*sid=ada/)
  await page.getByText('403').waitFor()
  const said = await page.locator('#said').innerText()
  expect(said).toMatch(
    /^200 \{"path":"\/api\/items"\};200 \{"email":"\[redacted\]"\};403 .*denied by rule forbidden: Not for agents\./,
  )
  await page.getByRole('link', { name: 'Order 7' }).click()
  await page.getByRole('heading', { name: 'Order 7' }).waitFor()
  expect(page.url()).toBe(`${base}/orders/7`)
  await page.getByRole('link', { name: 'Back' }).click()
  await page.getByRole('heading', { name: 'Hello' }).waitFor()
}

describe.skipIf(missing)('an application in a browser', () => {
  const shown = (): BrowserContextOptions => ({ extraHTTPHeaders: { 'Sallyport-Token': stage.token } })

  it('by path: links, redirects and cookies stay below it', async () => {
    const page = await open(shown())
    await walk(page, `http://127.0.0.1:${stage.port}/crm`)
    const cookies = await page.context().cookies()
    expect(cookies.map(({ name, path }) => `${name} ${path}`).sort()).toEqual(['sid /crm/', 'theme /crm/home'])
  })

  it('by host', async () => {
    const page = await open(shown())
    await walk(page, `http://crm.localhost:${stage.port}`)
    expect((await page.context().cookies()).map(({ path }) => path).sort()).toEqual(['/', '/home'])
  })

  it('with the gateway as the proxy of the browser, TLS ended with its authority', async () => {
    const { port } = secured.address() as AddressInfo
    const proxy = { server: `http://127.0.0.1:${stage.port}`, username: 'robot', password: stage.token, bypass: '<-loopback>' }
    const page = await open({ proxy })
    await walk(page, `https://localhost:${port}`)
    const elsewhere = await page.goto('https://elsewhere.example/').catch((error: unknown) => String(error))
    expect(elsewhere).toMatch(/ERR_TUNNEL_CONNECTION_FAILED/)
  })
})
