// The browser's end of a login (RFC 8252): it is opened at the provider, and comes back to a port of this machine that only we listen on.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { Denied } from '@sallyport/core'
import { oneLine } from '../output/printable.js'
import type { Terminal } from '../output/terminal.js'

interface Returned {
  /** The query it brought. */
  readonly returned: string
  /** Shows the person how it went. */
  readonly answer: (text: string) => void
}

export interface WaitingForBrowser {
  readonly redirectUri: string
  /** Waits for the browser that was sent off with this `state`. Throws Denied where it does not come. */
  returned(state: string): Promise<Returned>
  close(): void
}

/** The gateway forgets a login it began after as long. */
const withinMs = 10 * 60_000

export async function waitForBrowser(): Promise<WaitingForBrowser> {
  let arrived: (query: string, response: ServerResponse) => boolean = () => false
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const expected = request.method === 'GET' && url.pathname === '/callback'
    // Whatever else asks here (an icon, another page's script) learns nothing.
    if (!expected || !arrived(url.search.slice(1), response)) response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    redirectUri: `http://127.0.0.1:${port}/callback`,
    returned: (state) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(
          () => reject(new Denied('login-over', 'the browser did not come back in time; log in again')),
          withinMs,
        )
        arrived = (returned, response) => {
          if (new URLSearchParams(returned).get('state') !== state) return false
          clearTimeout(late)
          arrived = () => false
          resolve({ returned, answer: (text) => answerTo(response, text) })
          return true
        }
      }),
    close: () => {
      server.close()
      server.closeIdleConnections()
    },
  }
}

function answerTo(response: ServerResponse, text: string): void {
  const headers = { 'content-type': 'text/plain; charset=utf-8', connection: 'close', 'referrer-policy': 'no-referrer' }
  response.writeHead(200, headers).end(`${text}\n`)
}

/** The address is the gateway's word, and a gateway may be anybody's. */
export function sendBrowser(url: string, terminal: Pick<Terminal, 'env' | 'err'>): void {
  const address = openable(url)
  const open = address === undefined ? undefined : openBrowser(terminal.env)
  if (address === undefined)
    terminal.err(
      'warning: the gateway sends you to an address that is not https, so it is not opened; look at it before you open it',
    )
  terminal.err(oneLine(`${open === undefined ? 'Open' : 'A browser opens; if it does not, open'} ${address ?? url}`, 4096))
  terminal.err('(--device gives a code for a browser elsewhere instead)')
  if (address !== undefined) open?.(address)
}

/** What a gateway may have opened here, as it is given to the browser; undefined for all else: a program of this machine may answer to
 * any other scheme, and clear HTTP is for providers on this machine. */
function openable(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, hostname, href } = new URL(url)
  const here = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
  return protocol === 'https:' || (protocol === 'http:' && here) ? href : undefined
}

/** How to open a browser here; undefined where nobody would see it. `BROWSER` names a program, as other tools have it. */
export function openBrowser(env: Readonly<Record<string, string | undefined>>): ((url: string) => void) | undefined {
  const named = env['BROWSER']?.split(':')[0]
  if (named !== undefined && named !== '') return (url) => start(named, [url])
  // The person sits elsewhere.
  if (env['SSH_CONNECTION'] !== undefined) return undefined
  if (process.platform === 'darwin') return (url) => start('open', [url])
  if (process.platform === 'win32') return (url) => start('rundll32', ['url.dll,FileProtocolHandler', url])
  const screen = env['DISPLAY'] ?? env['WAYLAND_DISPLAY']
  return screen === undefined || screen === '' ? undefined : (url) => start('xdg-open', [url])
}

function start(program: string, args: readonly string[]): void {
  const child = spawn(program, args, { stdio: 'ignore', detached: true })
  // The address is on the screen as well.
  child.on('error', () => {})
  child.unref()
}
