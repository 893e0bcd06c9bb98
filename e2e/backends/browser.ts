// The machine's own Chromium, as a person uses the console with it. Whatever the page asks of another address, says in its console or
// throws is kept, for the tests to find nothing there.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { program } from './programs.js'

export interface Window {
  readonly page: Page
  readonly context: BrowserContext
  /** Requests that left the console, scripts that threw, and what the policy of the page stopped. */
  readonly faults: readonly string[]
}

export interface WindowOptions {
  readonly dark?: boolean
  readonly width?: number
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: program('chromium'),
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** A fresh window, which knows no cookie, for the test it is opened in. */
export async function openWindow(browser: Browser, address: string, options: WindowOptions = {}): Promise<Window> {
  const context = await browser.newContext({
    colorScheme: options.dark === true ? 'dark' : 'light',
    viewport: { width: options.width ?? 1280, height: 860 },
    baseURL: `http://${address}`,
  })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const faults: string[] = []
  page.on('request', (request) => {
    if (new URL(request.url()).host !== address) faults.push(`request to ${request.url()}`)
  })
  page.on('pageerror', (error) => faults.push(`threw ${error.message}`))
  page.on('console', (message) => {
    // A refused sign-in is told by its status as well; everything else that is said here is a fault.
    if (message.type() === 'error' && !/status of 40[139]/.test(message.text())) faults.push(message.text())
  })
  page.on('dialog', (dialog) => {
    faults.push(`dialog ${dialog.message()}`)
    void dialog.dismiss()
  })
  return { page, context, faults }
}

export async function signIn(page: Page, token: string, at = '/'): Promise<void> {
  await page.goto(at)
  await page.getByLabel('Access token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
}

/** Kept where SALLYPORT_SCREENSHOTS names a directory, for people to look at. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const directory = process.env['SALLYPORT_SCREENSHOTS']
  if (directory === undefined || directory === '') return
  mkdirSync(directory, { recursive: true })
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true })
}
