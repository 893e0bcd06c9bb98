// Which target a request is for, and what it asks of it: by the first part of its path, by the first label of its host, or by the
// target's own address where we are its proxy.

import { isIP } from 'node:net'
import { matchesName } from '@sallyport/core'
import type { Target } from '@sallyport/core'
import { addressOf } from './addresses.js'
import { maxTargetBytes } from './limits.js'
import { allOf, field } from './message.js'
import type { Fields, Request } from './message.js'
import { badRequest } from './refusal.js'

export interface Route {
  /** As the caller named it; whether there is such a target is found out by admitting. */
  readonly target: string
  /** Path and query for the target, as the caller wrote them but without dot segments. */
  readonly path: string
  /** What stands before that path in the caller's eyes: `/crm`, or '' by host. */
  readonly prefix: string
  /** Scheme and authority by which the caller reached us. */
  readonly origin: string
  readonly by: 'path' | 'host' | 'proxy'
}

export type Targets = () => readonly Target[]

/** `fixed`: the target of the CONNECT this came through. */
export function routeOf(request: Request, fields: Fields, secure: boolean, targets: Targets, fixed?: Target): Route {
  const written = request.url ?? ''
  if (written.length > maxTargetBytes) throw badRequest('target-too-long', 'the request target is too long', 414)
  const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(written)
  const host = hostOf(request, fields)
  const scheme = secure ? 'https' : 'http'
  if (fixed !== undefined) {
    const { path } = originForm(written, absolute)
    return { target: fixed.name, path, prefix: '', origin: addressOf(fixed).origin, by: 'proxy' }
  }
  if (absolute) return byAddress(written, targets)
  const { path } = originForm(written, false)
  const label = /^([^.:[\]]+)\./.exec(host)?.[1]
  const named = label === undefined || isIP(host.replace(/:\d+$/, '')) ? undefined : httpTarget(targets, label)
  if (named !== undefined) return { target: named.name, path, prefix: '', origin: `${scheme}://${host}`, by: 'host' }
  return byPath(path, `${scheme}://${host}`)
}

function byPath(path: string, origin: string): Route {
  const match = /^\/([A-Za-z0-9][A-Za-z0-9_.-]{0,127})(?=[/?]|$)(.*)$/s.exec(path)
  if (match === null) throw badRequest('no-target', 'name a target: /TARGET/path, or the host TARGET.gateway', 404)
  const [, target = '', rest = ''] = match
  return { target, path: rest.startsWith('/') ? rest : `/${rest}`, prefix: `/${target}`, origin, by: 'path' }
}

/** RFC 9112, section 3.2.2: the host of an absolute target counts, whatever Host says. */
function byAddress(written: string, targets: Targets): Route {
  if (!URL.canParse(written)) throw badRequest('bad-target', 'the request target is not a URL')
  const url = new URL(written)
  if (url.username !== '' || url.password !== '') throw badRequest('bad-target', 'the request target holds a user name')
  const target = targetAt(targets, url.hostname, portOf(url), url.protocol)
  if (target === undefined) throw unknownHost(url.host)
  const { path } = originForm(written, true)
  return { target: target.name, path, prefix: '', origin: url.origin, by: 'proxy' }
}

export function unknownHost(host: string): Error {
  return badRequest('unknown-host', `no target has the address ${host}; what no target stands for is not passed on`, 403)
}

export function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
}

/** The target that stands at this address. */
export function targetAt(targets: Targets, host: string, port: number, scheme?: string): Target | undefined {
  const bare = host
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase()
  return targets().find((target) => {
    if (target.protocol !== 'http' || addressOf(target).many) return false
    const { url } = addressOf(target)
    return (
      url.hostname.replace(/^\[|\]$/g, '') === bare && portOf(url) === port && (scheme === undefined || url.protocol === scheme)
    )
  })
}

/** The target that stands for this host among others; of several, the one that says most about it. */
export function tunnelTargetAt(targets: Targets, host: string, port: number): Target | undefined {
  const found = targets().filter((target) => {
    if (target.protocol !== 'http' || !addressOf(target).many) return false
    const { url } = addressOf(target)
    return portOf(url) === port && matchesName(url.hostname, host)
  })
  return found.toSorted((one, other) => other.address.length - one.address.length)[0]
}

function httpTarget(targets: Targets, name: string): Target | undefined {
  return targets().find((target) => target.protocol === 'http' && target.name.toLowerCase() === name.toLowerCase())
}

/** Exactly one host (RFC 9112, section 3.2). Node keeps the first of several, and another server might keep the last. */
function hostOf(request: Request, fields: Fields): string {
  const named = allOf(fields, 'host')
  const authority = 'authority' in request ? request.authority : undefined
  const [host = ''] = authority === undefined || authority === '' ? named : [authority]
  if (named.length > 1 || (authority && named.length === 1 && named[0] !== authority)) {
    throw badRequest('two-hosts', 'the request names more than one host')
  }
  if (!/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(host)) throw badRequest('bad-host', 'the request names no host')
  return host.toLowerCase()
}

/** Dot segments are resolved here, once, so that no backend resolves them differently from the rules (RFC 3986, section 5.2.4). */
function originForm(written: string, absolute: boolean): { readonly path: string } {
  const path = absolute ? written.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '') : written
  const whole = path.startsWith('/') ? path : `/${path}`
  if (!absolute && !path.startsWith('/')) throw badRequest('bad-target', 'the request target must begin with /')
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\\#\x00-\x20\x7f-\uffff]/.test(whole))
    throw badRequest('bad-target', 'the request target holds a character that must be percent-encoded')
  if (/%(?![0-9A-Fa-f]{2})/.test(whole.split('?', 1)[0] ?? ''))
    throw badRequest('bad-target', 'the path holds a broken percent-encoding')
  const query = whole.indexOf('?')
  const [bare, rest] = query < 0 ? [whole, ''] : [whole.slice(0, query), whole.slice(query)]
  return { path: withoutDots(bare) + rest }
}

/** `%2e` is a dot (RFC 3986, section 2.3). */
function withoutDots(path: string): string {
  if (!/\/(?:\.|%2e)/i.test(path)) return path
  const out: string[] = []
  const segments = path.split('/').slice(1)
  for (const [index, segment] of segments.entries()) {
    const plain = segment.replaceAll(/%2e/gi, '.')
    const last = index === segments.length - 1
    if (plain === '..') out.pop()
    if ((plain === '.' || plain === '..') && last) out.push('')
    if (plain !== '.' && plain !== '..') out.push(segment)
  }
  return `/${out.join('/')}`
}

/** What the caller showed to say who it is; and the headers that carried it, which never go on. */
export interface Shown {
  readonly user: string
  readonly token: string
  readonly carriers: readonly string[]
}

/** `Sallyport-Token`, else an access token as `X-Api-Key`, else `Proxy-Authorization`, else `Authorization`. */
export function shownBy(fields: Fields): Shown | undefined {
  const own = field(fields, 'sallyport-token')
  if (own !== undefined) return { user: '', token: own.trim(), carriers: ['sallyport-token'] }
  // What SDKs of model APIs have for a key; a key of the target's own is left alone.
  const key = field(fields, 'x-api-key')?.trim()
  if (key?.startsWith('sp_') === true) return { user: '', token: key, carriers: ['x-api-key'] }
  for (const name of ['proxy-authorization', 'authorization']) {
    const all = allOf(fields, name)
    if (all.length > 1) throw badRequest('two-credentials', `the request has more than one ${name}`)
    const shown = all[0] === undefined ? undefined : readAuthorization(all[0], name)
    if (shown !== undefined) return shown
  }
  return undefined
}

function readAuthorization(value: string, name: string): Shown | undefined {
  const [, scheme = '', rest = ''] = /^([A-Za-z]+) +(\S+)\s*$/.exec(value) ?? []
  if (scheme.toLowerCase() === 'bearer') return { user: '', token: rest, carriers: [name] }
  if (scheme.toLowerCase() !== 'basic') return undefined
  const pair = Buffer.from(rest, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 0) return undefined
  return { user: pair.slice(0, colon), token: pair.slice(colon + 1), carriers: [name] }
}
