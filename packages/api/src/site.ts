// The console's pages. All files are read once at the start and answered by exact name, so no path can lead out of the directory.

import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import type { FastifyInstance } from 'fastify'

interface SiteFile {
  readonly type: string
  readonly body: Buffer
}

export interface Site {
  readonly page: SiteFile
  /** By path from the root; each has a hash of its content in its name. */
  readonly assets: ReadonlyMap<string, SiteFile>
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Pages know their own places; the server answers each with the same document. */
const PAGES = ['/', '/reviews', '/reviews/:id', '/sessions', '/sessions/:id', '/search', '/targets', '/rules', '/sign-in']

/**
 * Only what comes from here may run, style or be fetched; nothing may frame the page, and no text can become markup or script
 * (CSP level 3; `require-trusted-types-for` where the browser knows it).
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/** What the API answers is no page, whatever it holds. */
export const API_POLICY = "default-src 'none'; frame-ancestors 'none'"

/** Throws Misconfigured where the console was not built. */
export function readSite(directory: string): Site {
  const assets = new Map<string, SiteFile>()
  try {
    for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
      const type = TYPES[extname(name)]
      if (type !== undefined) assets.set(`/${name.replaceAll('\\', '/')}`, { type, body: readFileSync(join(directory, name)) })
    }
  } catch (cause) {
    throw new Misconfigured('console-not-built', `the console's pages cannot be read from ${directory}`, { cause })
  }
  const page = assets.get('/index.html')
  if (page === undefined) throw new Misconfigured('console-not-built', `the console has no index.html in ${directory}`)
  assets.delete('/index.html')
  return { page, assets }
}

export function addSite(app: FastifyInstance, { page, assets }: Site): void {
  for (const path of PAGES) {
    app.get(path, async (_request, reply) =>
      reply
        .header('content-security-policy', POLICY)
        .header('cross-origin-opener-policy', 'same-origin')
        .header('permissions-policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()')
        .type(page.type)
        .send(page.body),
    )
  }
  for (const [path, { type, body }] of assets) {
    app.get(path, async (_request, reply) =>
      reply.header('cache-control', 'public, max-age=31536000, immutable').type(type).send(body),
    )
  }
}
