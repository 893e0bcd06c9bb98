// People log in at an identity provider, and get a short-lived access token of ours for it. The gateway speaks with the provider, so that a
// client's secret never leaves it; the caller's end only shows an address and a code (RFC 8628) or sends a browser there (RFC 8252).

import { Denied, Misconfigured, RateLimit } from '@sallyport/core'
import { EncryptJWT, errors, jwtDecrypt } from 'jose'
import type { Identity, Secret, TokenRecord } from '@sallyport/core'
import { identityFrom } from './claims.js'
import { clientOf } from './failures.js'
import { openLoginProvider } from './login-provider.js'
import { Refusal } from './refusal.js'
import { createToken } from './tokens.js'
import { scramSalt } from './verifiers.js'
import type { KnownIdentity } from './claims.js'
import type { Fetch } from './fetch.js'
import type { LoginFlow, LoginProvider, SealedLogin } from './login-provider.js'
import type { TokenTable } from './tokens.js'

export interface LoggedIn {
  readonly token: Secret
  readonly record: TokenRecord
}

export interface DeviceLogin {
  readonly userCode: string
  readonly address: string
  /** The address with the code in it, where the provider has one. */
  readonly addressWithCode: string | undefined
  readonly expiresAt: Date
  /** Waits for the person. Call it once. Throws Denied where they refuse or take too long. */
  readonly settle: () => Promise<LoggedIn>
}

interface BrowserLogin {
  /** Where the browser goes. */
  readonly url: string
  /** What the browser must bring back, so that the caller knows its own errand (RFC 6749, section 10.12). */
  readonly state: string
  /** Everything needed to finish, sealed: any node can, and no caller can read it. */
  readonly login: string
}

export interface Logins {
  readonly providers: readonly { readonly name: string; readonly flows: readonly LoginFlow[] }[]
  /** `from`: the client's `address:port`, for each of these; too many from one are refused. Aborting `signal` gives up. Throws Denied. */
  device(provider: string | undefined, options: { readonly from: string; readonly signal: AbortSignal }): Promise<DeviceLogin>
  browser(provider: string | undefined, redirectUri: string, from: string): Promise<BrowserLogin>
  /** `returned`: the query the browser came back with. */
  finish(login: string, returned: string, from: string): Promise<LoggedIn>
}

export interface LoginParts {
  readonly providers: readonly LoginProvider[]
  readonly tokens: Pick<TokenTable, 'insert'>
  readonly identities: () => readonly KnownIdentity[]
  /** `scramSalt`'s, and 32 bytes that seal what a caller keeps between the two steps of a browser's login. */
  readonly secret: Uint8Array
  readonly sealingKey: Uint8Array
  /** Where browsers may come back to besides the caller's own machine. */
  readonly redirects: () => readonly string[]
  readonly now: () => number
  readonly log: (level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>) => void
  readonly fetch?: Fetch
}

/** People type a code within minutes; RFC 8628, section 6.1, finds half an hour long. */
const longestWaitMs = 10 * 60_000
/** Each asks the provider every few seconds: as many as an office needs at nine in the morning, from one address and from all. */
const mostWaiting = { perClient: 16, all: 256 }
/** Every one asks the provider something, for people who are nobody yet. A person mistypes, an office shares one address. */
const perClient = { burst: 60, perSecond: 0.5 }
/** From all addresses: what no provider minds. Each step has its own, so that a flood of codes leaves browsers their way. */
const fromAll = { burst: 600, perSecond: 5 }
/** What a person takes at the provider's pages, password resets included. */
const browserTime = '10m'
const loopback = /^http:\/\/(?:127\.0\.0\.1|\[::1\]):\d{1,5}\/[\w/-]{0,64}$/

export function createLogins(parts: LoginParts): Logins {
  const opened = parts.providers.map((provider) => ({
    provider,
    open: openLoginProvider(provider, parts.fetch ?? ((url, options) => fetch(url, options)), parts.now),
  }))
  const waiting = new Waiting()
  const pace = new Pace(parts.now)

  const pick = (name: string | undefined, flow: LoginFlow): (typeof opened)[number] => {
    const [first] = opened
    if (first === undefined) throw new Denied('no-identity-provider', noProvider)
    const fitting = opened.filter(({ provider }) => (name === undefined || provider.name === name) && provider.flows.includes(flow))
    const names = opened.map(({ provider }) => provider.name).join(', ')
    const [found, another] = fitting
    if (found === undefined)
      throw new Denied('no-such-provider', `nobody logs in by ${flow} at ${name ?? 'any provider'}; there is: ${names}`)
    if (another !== undefined) throw new Denied('which-provider', `log in at which provider? there is: ${names}`)
    return found
  }

  return {
    providers: parts.providers.map(({ name, flows }) => ({ name, flows })),
    device: async (name, { from, signal }) => {
      const { provider, open } = pick(name, 'device')
      if (signal.aborted) throw new Denied('login-over', 'nobody waits for this login any more')
      const leave = waiting.enter(clientOf(from))
      // Whoever goes before they even waited leaves as well.
      signal.addEventListener('abort', leave, { once: true })
      try {
        pace.take('device', from)
        const device = await telling(provider, parts, () => open.device())
        const lifetimeMs = Math.min(device.lifetimeMs, longestWaitMs)
        const until = AbortSignal.any([signal, AbortSignal.timeout(lifetimeMs)])
        return {
          userCode: device.userCode,
          address: device.address,
          addressWithCode: device.addressWithCode,
          expiresAt: new Date(parts.now() + lifetimeMs),
          settle: async () => {
            try {
              return await telling(provider, parts, async () => keep(await device.settle(until), provider, parts))
            } finally {
              leave()
            }
          },
        }
      } catch (error) {
        leave()
        throw error
      }
    },
    browser: async (name, redirectUri, from) => {
      // RFC 8252, section 7.3: any port of the caller's machine, or the console, and no other place.
      if (!loopback.test(redirectUri) && !parts.redirects().includes(redirectUri))
        throw new Denied('bad-redirect', 'a browser comes back to http://127.0.0.1:PORT/... only')
      const { provider, open } = pick(name, 'browser')
      pace.take('browser', from)
      const { url, state, verifier, nonce } = await telling(provider, parts, () => open.browser(redirectUri))
      const login = await new EncryptJWT({ provider: provider.name, redirectUri, state, verifier, nonce })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setIssuedAt(new Date(parts.now()))
        .setExpirationTime(browserTime)
        .encrypt(parts.sealingKey)
      return { url, state, login }
    },
    finish: async (login, returned, from) => {
      const sealed = await unsealed(login, parts)
      const found = opened.find(({ provider }) => provider.name === sealed.provider)
      if (found === undefined) throw new Denied('login-over', 'this login was begun at a provider that is no longer configured')
      pace.take('finish', from)
      return telling(found.provider, parts, async () => keep(await found.open.finish(sealed, returned), found.provider, parts))
    },
  }
}

const noProvider =
  'this gateway has no identity provider to log in at; ask its operator for an access token and set SALLYPORT_TOKEN'

/** How often logins are begun and finished, from wherever they come. */
class Pace {
  readonly #perClient = new RateLimit(perClient)
  readonly #fromAll = new RateLimit(fromAll)
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  take(step: 'device' | 'browser' | 'finish', from: string): void {
    const own = this.#perClient.take(clientOf(from), this.#now())
    if (own > 0) throw new Denied('too-many-requests', `too many logins from this address; wait ${own} seconds`)
    // What was refused to one address takes nothing from the others.
    const all = this.#fromAll.take(step, this.#now())
    if (all > 0) throw new Denied('too-many-requests', `too many logins at this gateway; wait ${all} seconds`)
  }
}

/** Those who wait for a person, counted. */
class Waiting {
  readonly #by = new Map<string, number>()
  #all = 0

  /** Answers with how to leave, which may be called more than once. */
  enter(from: string): () => void {
    const own = this.#by.get(from) ?? 0
    if (own >= mostWaiting.perClient || this.#all >= mostWaiting.all)
      throw new Denied('too-many-requests', 'too many logins wait for a person already; try again in a few minutes')
    this.#by.set(from, own + 1)
    this.#all += 1
    let left = false
    return () => {
      if (left) return
      left = true
      const now = (this.#by.get(from) ?? 1) - 1
      if (now === 0) this.#by.delete(from)
      else this.#by.set(from, now)
      this.#all -= 1
    }
  }
}

/** From what the provider said of a person to a token that is theirs. */
async function keep(
  claims: Parameters<typeof identityFrom>[0],
  provider: LoginProvider,
  { tokens, identities, secret, now, log }: LoginParts,
): Promise<LoggedIn> {
  const identity: Identity = identityFrom(claims, provider, (name) => identities().find((each) => each.name === name))
  if (identity.kind !== 'person') throw new Refusal('agents do not log in; give them an access token')
  const made = createToken({
    identity: identity.name,
    onBehalfOf: null,
    ttlMs: provider.loginMs,
    createdBy: `login at ${provider.name}`,
    login: { provider: provider.name, id: identity.id, groups: identity.groups },
    salt: scramSalt(secret, identity.name),
    now: now(),
  })
  await tokens.insert(made.record)
  log('info', 'logged in at an identity provider', { identity: identity.name, provider: provider.name, token: made.record.id })
  return made
}

/** What went wrong, in words that are safe to show; the whole of it goes to the log. */
async function telling<T>(provider: LoginProvider, { log }: LoginParts, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const denied = error instanceof Denied ? error : undefined
    // It says what is wrong with the person's own claims.
    const refused =
      error instanceof Refusal ? new Denied('login-refused', `login at ${provider.name}: ${error.message}`) : undefined
    const reason = denied?.message ?? (error instanceof Error ? causes(error) : String(error))
    log('warn', 'a login at an identity provider failed', { provider: provider.name, reason })
    if (error instanceof Misconfigured)
      throw new Denied(
        'provider-misconfigured',
        `the client secret of ${provider.name} cannot be read; its operator finds more in the log`,
      )
    throw (
      denied ?? refused ?? new Denied('provider-failed', `login at ${provider.name} did not work; the log of the gateway says why`)
    )
  }
}

/** Libraries wrap what happened; none of it holds a code or a token. */
function causes(error: Error): string {
  const { cause } = error
  return cause instanceof Error ? `${error.message}: ${causes(cause)}` : error.message
}

async function unsealed(login: string, { sealingKey, now }: LoginParts): Promise<SealedLogin> {
  try {
    const { payload } = await jwtDecrypt<SealedLogin>(login, sealingKey, { currentDate: new Date(now()), requiredClaims: ['exp'] })
    const { provider, redirectUri, state, verifier, nonce } = payload
    return { provider, redirectUri, state, verifier, nonce }
  } catch (error) {
    if (error instanceof errors.JOSEError)
      throw new Denied('login-over', 'this login took too long, or was begun at another gateway; log in again')
    throw error
  }
}
