// Which fields go on, both ways (RFC 9110, section 7.6.1; RFC 9112, section 9.6), and what is said anew in their place.

import type { Target } from '@sallyport/core'
import { addressOf } from './addresses.js'
import { allOf, listed } from './message.js'
import type { Fields } from './message.js'
import { portOf } from './routing.js'
import type { Route, Shown } from './routing.js'

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** Ours to say: a caller must not be able to name another address, host or scheme than its own. */
const saidAnew = new Set([
  'host',
  'expect',
  'sallyport-token',
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-real-ip',
])

/** Fields that are each connection's own, or ours to say. */
export function mayNotPass(name: string): boolean {
  return hopByHop.has(name) || saidAnew.has(name)
}

export interface Caller {
  readonly shown: Shown
  /** Without the port. */
  readonly host: string
}

/** For the target: as undici takes them, names and values in turn. The stored credential is not among them yet. */
export function forTarget(fields: Fields, route: Route, caller: Caller, target: Target): string[] {
  const dropped = new Set(listed(fields, 'connection'))
  const { shown } = caller
  const ownPage = route.by === 'host' || allOf(fields, 'referer').some((value) => value.startsWith(ownPages(route)))
  const out: string[] = []
  for (const [name, value] of fields) {
    if (hopByHop.has(name) || saidAnew.has(name) || dropped.has(name) || shown.carriers.includes(name)) continue
    // The caller's token is for us alone, wherever else it was put.
    if (holdsToken(value, shown.token)) continue
    out.push(name, fromItself(name, value, { route, target, ownPage }))
  }
  const scheme = route.origin.slice(0, route.origin.indexOf(':'))
  const address = caller.host.includes(':') ? `"[${caller.host}]"` : caller.host
  const authority = route.origin.slice(route.origin.indexOf('//') + 2)
  out.push('host', addressOf(target).host, 'via', '1.1 sallyport', 'x-forwarded-for', caller.host)
  out.push('x-forwarded-proto', scheme, 'x-forwarded-host', authority)
  out.push('forwarded', `for=${address};host="${authority}";proto=${scheme}`)
  if (route.prefix !== '') out.push('x-forwarded-prefix', route.prefix)
  if (listed(fields, 'te').includes('trailers')) out.push('te', 'trailers')
  return out
}

interface From {
  readonly route: Route
  readonly target: Target
  /** By path all targets share our origin, so that only a page's address tells whose it is. */
  readonly ownPage: boolean
}

/** To the target its own pages are its own: a page that we show for it posts from the target's origin, not from ours. */
function fromItself(name: string, value: string, { route, target, ownPage }: From): string {
  if (route.by === 'proxy' || (name !== 'origin' && name !== 'referer')) return value
  const own = addressOf(target).origin
  if (value === route.origin) return ownPage ? own : value
  const below = ownPages(route)
  return name === 'referer' && value.startsWith(below) ? `${own}${addressOf(target).base}/${value.slice(below.length)}` : value
}

const ownPages = ({ origin, prefix }: Route): string => `${origin}${prefix}/`

/** A token is long and random, so that holding it is no accident. */
export function holdsToken(value: string, token: string): boolean {
  return (token.length >= 12 && value.includes(token)) || /\bsp_[0-9A-Za-z]{20,}/.test(value)
}

export function without(headers: readonly string[], names: ReadonlySet<string>): string[] {
  return headers.flatMap((name, index) => (index % 2 === 0 && !names.has(name) ? [name, headers[index + 1] ?? ''] : []))
}

/** Names and values in turn, as they came from the target, to what the caller gets. */
export function forClient(raw: readonly Buffer[], route: Route, target: Target): Record<string, string | string[]> {
  const fields: [string, string][] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    fields.push([(raw[index] as Buffer).toString('latin1').toLowerCase(), (raw[index + 1] as Buffer).toString('latin1')])
  }
  const dropped = new Set(listed(fields, 'connection'))
  const out: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  for (const [name, value] of fields) {
    if (hopByHop.has(name) || dropped.has(name) || name === 'alt-svc') continue
    const known = out[name]
    const rewritten = rewrite(name, value, route, target)
    if (rewritten === undefined) continue
    if (known === undefined) out[name] = name === 'set-cookie' ? [rewritten] : rewritten
    else out[name] = [...(Array.isArray(known) ? known : [known]), rewritten]
  }
  return out
}

/** Undefined: it may not go on. */
function rewrite(name: string, value: string, route: Route, target: Target): string | undefined {
  if (name === 'location' || name === 'content-location') return throughUs(value, route, target)
  if (name === 'refresh') return value.replace(/(url=)(.*)$/i, (_, key: string, url: string) => key + throughUs(url, route, target))
  if (name === 'access-control-allow-origin' && value === addressOf(target).origin) return route.origin
  return name === 'set-cookie' ? cookieThroughUs(value, route, target) : value
}

/** A reference to the target's own address becomes one to ours; any other stays. */
function throughUs(value: string, route: Route, target: Target): string {
  const { url: address, base } = addressOf(target)
  const relative = !/^(?:[a-z][a-z0-9+.-]*:|\/)/i.test(value)
  if (relative || !URL.canParse(value, address.href)) return value
  const url = new URL(value, address)
  const ours =
    url.hostname === address.hostname && (portOf(url) === portOf(address) || url.port === '') && /^https?:$/.test(url.protocol)
  if (!ours || !below(url.pathname, base)) return value
  const path = `${route.prefix}${url.pathname.slice(base.length) || '/'}${url.search}${url.hash}`
  return /^[a-z]/i.test(value) || value.startsWith('//') ? route.origin + path : path
}

const below = (path: string, base: string): boolean => base === '' || path === base || path.startsWith(`${base}/`)

/** RFC 6265, section 5.3: a cookie for the target's domain would not be kept for ours; its path begins where ours does. */
function cookieThroughUs(value: string, route: Route, target: Target): string | undefined {
  const [pair = '', ...attributes] = value.split(';')
  // It counts for its whole origin, which by path is that of all targets: each would be sent it (RFC 6265bis, section 4.1.3.2).
  if (route.prefix !== '' && /^\s*__Host-/i.test(pair)) return undefined
  const { base } = addressOf(target)
  const mapped = attributes.flatMap((attribute) => {
    const [, name = '', path = ''] = /^\s*([^=]*)=?(.*)$/s.exec(attribute) ?? []
    if (name.trim().toLowerCase() === 'domain') return route.by === 'proxy' ? [attribute] : []
    if (name.trim().toLowerCase() !== 'path' || route.prefix === '') return [attribute]
    return [` Path=${route.prefix}${below(path, base) ? path.slice(base.length) : path}`]
  })
  return [pair, ...mapped].join(';')
}

const alwaysSecret = [
  'authorization',
  'proxy-authorization',
  'sallyport-token',
  'cookie',
  'set-cookie',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'x-auth-token',
  'x-amz-security-token',
  'x-csrf-token',
  'x-xsrf-token',
  'private-token',
  'x-vault-token',
]
const secretParameters = [
  'access_token',
  'api_key',
  'apikey',
  'key',
  'token',
  'sig',
  'signature',
  'x-amz-signature',
  'x-amz-security-token',
  'client_secret',
  'password',
]

const secretNames = new WeakMap<Target, ReadonlySet<string>>()

/** Names whose values are covered wherever they are kept. */
export function secretNamesOf(target: Target): ReadonlySet<string> {
  const known = secretNames.get(target)
  if (known !== undefined) return known
  const made = new Set([...alwaysSecret, ...(target.http?.secretNames ?? []).map((name) => name.toLowerCase())])
  secretNames.set(target, made)
  return made
}

/** The path as it is kept: values of parameters that are known to be secrets are covered. */
export function coverQuery(path: string, target: Target): string {
  const query = path.indexOf('?')
  if (query < 0) return path
  const secret = new Set([...secretParameters, ...(target.http?.secretNames ?? []).map((name) => name.toLowerCase())])
  const covered = path
    .slice(query + 1)
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=')
      const name = decoded(equals < 0 ? pair : pair.slice(0, equals))
      return equals >= 0 && secret.has(name.toLowerCase()) ? `${pair.slice(0, equals)}=[covered]` : pair
    })
  return `${path.slice(0, query)}?${covered.join('&')}`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
