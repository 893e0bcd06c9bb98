// Signing in to the console at an identity provider, in a real browser.

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser, openWindow, screenshot } from '../backends/browser.js'
import { startGateway, type Gateway } from '../backends/gateway.js'
import { gatewayClient, startIssuer, type TestIssuer } from '../backends/oidc-provider.js'
import { lacks } from '../backends/programs.js'

describe.skipIf(lacks('chromium'))('the console', () => {
  let issuer: TestIssuer
  let gateway: Gateway
  let browser: Browser
  beforeAll(async () => {
    issuer = await startIssuer()
    gateway = await startGateway(
      `identityProviders:
  - { name: corp, kind: oidc, issuer: "${issuer.issuer}", clientId: ${gatewayClient.id}, clientSecret: { env: CORP_SECRET }, audience: sallyport }
  - { name: codes, kind: oidc, issuer: "${issuer.issuer}", clientId: ${gatewayClient.id}, audience: sallyport, flows: [device] }
`,
      { env: { CORP_SECRET: gatewayClient.secret } },
    )
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await gateway.remove()
    await issuer.close()
  })

  it('sends its browser to the provider and signs in whom that names', async () => {
    const { page, context } = await openWindow(browser, gateway.consoleAddress)
    await page.goto('/')
    await page.getByRole('link', { name: 'Sign in with corp' }).waitFor()
    await screenshot(page, 'sign-in-with')
    expect(await page.getByRole('link', { name: /codes/ }).count()).toBe(0)
    await page.getByRole('link', { name: 'Sign in with corp' }).click()
    await page.locator('input[name=login]').fill('mia')
    await page.locator('input[name=password]').fill('any')
    await page.locator('button[type=submit]').click()
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
    expect(await page.getByText('mia').count()).toBeGreaterThan(0)
    expect(new URL(page.url()).host).toBe(gateway.consoleAddress)
    const ours = (await context.cookies()).filter(({ name }) => name.startsWith('sallyport'))
    expect(ours.map(({ httpOnly, sameSite }) => [httpOnly, sameSite])).toEqual([[true, 'Strict']])
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Access token').waitFor()
  })

  it('does not sign in a browser that did not begin it, nor a person who said no', async () => {
    const sent = await fetch(`http://${gateway.consoleAddress}/api/v1/sign-in/with/corp`, { redirect: 'manual' })
    expect(sent.status).toBe(302)
    // An attacker's own finished login, put to somebody else's browser: the address alone is worth nothing.
    const { page, context } = await openWindow(browser, gateway.consoleAddress)
    const back = await issuer.visit(sent.headers.get('location') ?? '', 'noa')
    expect(back).toContain('/api/v1/sign-in/back?code=')
    await page.goto(back)
    await page.getByText('did not begin a sign-in').waitFor()
    expect((await context.cookies()).filter(({ name }) => name.startsWith('sallyport'))).toEqual([])
    await page.goto('/')
    await page.getByRole('link', { name: 'Sign in with corp' }).click()
    await page.locator('a[href$="/abort"]').click()
    await page.getByText('the login was refused at corp').waitFor()
    const nowhere = await fetch(`http://${gateway.consoleAddress}/api/v1/sign-in/with/nobody`, { redirect: 'manual' })
    expect([nowhere.status, await nowhere.text()]).toEqual([403, expect.stringContaining('there is: corp')])
  })
})
