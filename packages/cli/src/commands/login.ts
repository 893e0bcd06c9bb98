// Logging in and out: the gateway asks the identity provider, the person agrees in a browser, and a short-lived token is kept here.

import { Denied, Misconfigured, secret } from '@sallyport/core'
import { openClient } from '../client/gateway-client.js'
import type { GatewayClient } from '../client/gateway-client.js'
import { forgetLogin, keepLogin, keptLogin, loginsFile } from '../client/kept-login.js'
import { oneLine, printable } from '../output/printable.js'
import { shortTime } from '../output/table.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'
import { openBrowser, sendBrowser, waitForBrowser } from './login-browser.js'

export interface LoginOptions {
  readonly provider?: string
  readonly device?: true
  readonly json?: true
}

interface LoggedIn {
  readonly token: string
  readonly id: string
  readonly identity: string
  readonly expiresAt: string
}

interface Provider {
  readonly name: string
  readonly flows: readonly string[]
}

export async function loginCommand(options: LoginOptions, terminal: Terminal): Promise<void> {
  const client = openClient(terminal.env)
  const provider = await chosen(client, options.provider)
  const before = keptLogin(terminal.env, client.url)
  const made = await (byBrowser(provider, options, terminal) ? withBrowser : withDevice)(provider.name, client, terminal)
  const { token, id, identity, expiresAt } = made
  const authority = client.authority === undefined ? {} : { authority: client.authority }
  keepLogin(terminal.env, client.url, { token, id, identity, expiresAt, ...authority })
  // Nothing keeps the earlier token any more.
  if (before !== undefined)
    await openClient(terminal.env, secret(before.token))
      .call('DELETE', '/login')
      .catch(() => {})
  if (options.json === true)
    return printJson(terminal, { gateway: client.url, identity, expiresAt, file: loginsFile(terminal.env) })
  terminal.out(printable(`logged in at ${client.url} as ${identity}, until ${shortTime(expiresAt)} UTC`))
}

export async function logoutCommand(options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const { url } = openClient(terminal.env)
  const kept = keptLogin(terminal.env, url)
  if (kept === undefined) throw new Misconfigured('not-logged-in', `nobody is logged in at ${url}`)
  forgetLogin(terminal.env, url)
  if (Date.parse(kept.expiresAt) > Date.now()) await revoke(kept.token, kept.expiresAt, terminal)
  if (options.json === true) return printJson(terminal, { gateway: url, identity: kept.identity })
  terminal.out(printable(`${kept.identity} is logged out at ${url}`))
}

async function revoke(token: string, expiresAt: string, terminal: Terminal): Promise<void> {
  try {
    await openClient(terminal.env, secret(token)).call('DELETE', '/login')
  } catch (error) {
    // It was revoked already: just what was wanted.
    if (error instanceof Denied && error.code === 'unauthenticated') return
    const reason = error instanceof Error ? error.message : String(error)
    throw new Misconfigured(
      'not-revoked',
      `the token is gone from here, but counts until ${expiresAt}: it could not be revoked (${reason})`,
    )
  }
}

async function chosen(client: GatewayClient, name: string | undefined): Promise<Provider> {
  const { providers } = await client.call<{ readonly providers: readonly Provider[] }>('GET', '/login')
  const [first, second] = providers
  if (first === undefined)
    throw new Denied(
      'no-identity-provider',
      `${client.url} has no identity provider to log in at; ask its operator for an access token and set SALLYPORT_TOKEN`,
    )
  const names = oneLine(providers.map((each) => each.name).join(', '))
  if (name === undefined) {
    if (second === undefined) return first
    throw new Misconfigured('which-provider', `log in at which provider? add --provider with one of: ${names}`)
  }
  const found = providers.find((each) => each.name === name)
  if (found === undefined) throw new Misconfigured('no-such-provider', `there is no provider ${name}; there is: ${names}`)
  return found
}

/** A browser where one can be opened here, else a code for a browser anywhere. */
function byBrowser({ flows }: Provider, { device }: LoginOptions, { env }: Terminal): boolean {
  if (device === true) return false
  return flows.includes('browser') && (openBrowser(env) !== undefined || !flows.includes('device'))
}

async function withDevice(provider: string, client: GatewayClient, terminal: Terminal): Promise<LoggedIn> {
  interface Shown {
    readonly userCode: string
    readonly address: string
    readonly addressWithCode: string | null
    readonly expiresAt: string
  }
  for await (const line of client.lines<Shown | LoggedIn | { readonly waiting: true }>('/login/device', undefined, { provider })) {
    if ('token' in line) return line
    if ('waiting' in line) continue
    terminal.err(oneLine(`Open ${line.address} in any browser and enter the code ${line.userCode}`, 1024))
    if (line.addressWithCode !== null)
      terminal.err(oneLine(`or open ${line.addressWithCode} and check that it shows this code`, 1024))
    terminal.err(`Waiting until ${shortTime(line.expiresAt)} UTC ...`)
  }
  throw new Denied('login-over', 'the gateway ended this login; log in again')
}

async function withBrowser(provider: string, client: GatewayClient, terminal: Terminal): Promise<LoggedIn> {
  const waiting = await waitForBrowser()
  try {
    const { redirectUri } = waiting
    const begun = await client.call<{ readonly url: string; readonly state: string; readonly login: string }>(
      'POST',
      '/login/browser',
      { provider, redirectUri },
    )
    sendBrowser(begun.url, terminal)
    const { returned, answer } = await waiting.returned(begun.state)
    try {
      const made = await client.call<LoggedIn>('POST', '/login/browser/finish', { login: begun.login, returned })
      answer(`You are logged in as ${made.identity}. You can close this page.`)
      return made
    } catch (error) {
      answer('The login failed; the terminal says why. You can close this page.')
      throw error
    }
  } finally {
    waiting.close()
  }
}
