// One identity provider as people log in at it: the device flow and the browser's, spoken by openid-client; what comes back is an ID token
// whose signature, issuer, audience and times are checked here as any other JWT's.

import { Denied } from '@sallyport/core'
import {
  allowInsecureRequests,
  AuthorizationResponseError,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  discovery,
  fetchUserInfo,
  initiateDeviceAuthorization,
  None,
  pollDeviceAuthorizationGrant,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  ResponseBodyError,
} from 'openid-client'
import { fetchBounded, mayFetch, timeoutMs } from './fetch.js'
import { openProvider } from './provider.js'
import type { Secret } from '@sallyport/core'
import type { JWTPayload } from 'jose'
import type { TokenEndpointResponse } from 'openid-client'
import type { Fetch } from './fetch.js'
import type { JwtCheck, OidcProvider } from './provider.js'

/** `device`: a code is typed in at any browser (RFC 8628). `browser`: one on the caller's own machine is sent there and back. */
export type LoginFlow = 'browser' | 'device'

/** A provider that people may log in at: it knows this gateway as a client. */
export interface LoginProvider extends OidcProvider {
  readonly clientId: string
  /** Absent: a public client. */
  readonly clientSecret?: (() => Promise<Secret>) | undefined
  readonly scopes: readonly string[]
  readonly flows: readonly LoginFlow[]
  /** How long the token of a login lives. */
  readonly loginMs: number
}

/** What a browser's login is finished with. */
export interface SealedLogin {
  readonly provider: string
  readonly redirectUri: string
  readonly state: string
  readonly verifier: string
  readonly nonce: string
}

export interface OpenLoginProvider {
  device(): Promise<{
    readonly userCode: string
    readonly address: string
    readonly addressWithCode: string | undefined
    readonly lifetimeMs: number
    readonly settle: (signal: AbortSignal) => Promise<JWTPayload>
  }>
  browser(redirectUri: string): Promise<Omit<SealedLogin, 'provider' | 'redirectUri'> & { readonly url: string }>
  finish(login: SealedLogin, returned: string): Promise<JWTPayload>
}

const discoveryMaxAgeMs = 3_600_000
/** A provider that is down is not asked for each who comes meanwhile; a person tries again after as long. */
const discoveryPauseMs = 5_000

export function openLoginProvider(provider: LoginProvider, fetch: Fetch, now: () => number): OpenLoginProvider {
  const configuration = remembered(() => discover(provider, fetch), now)
  // An ID token is for the client; `audience` is what JWTs for the gateway itself must name.
  const check = openProvider({ ...provider, audience: provider.clientId }, fetch, now)
  const scope = provider.scopes.join(' ')
  return {
    device: async () => {
      const client = await configuration()
      if (client.serverMetadata().device_authorization_endpoint === undefined)
        throw new Denied('no-device-flow', `the identity provider ${provider.name} has no device flow; log in with a browser`)
      const response = await worded(provider, initiateDeviceAuthorization(client, { scope }))
      return {
        userCode: shown(response.user_code),
        address: shown(response.verification_uri),
        addressWithCode: response.verification_uri_complete === undefined ? undefined : shown(response.verification_uri_complete),
        lifetimeMs: response.expires_in * 1000,
        settle: async (signal) => {
          const answer = pollDeviceAuthorizationGrant(client, response, undefined, { signal })
          return claimsOf(await worded(provider, answer, signal), client, provider, check)
        },
      }
    },
    browser: async (redirectUri) => {
      const client = await configuration()
      const [verifier, state, nonce] = [randomPKCECodeVerifier(), randomState(), randomNonce()]
      const code_challenge = await calculatePKCECodeChallenge(verifier)
      const asked = { redirect_uri: redirectUri, scope, state, nonce, code_challenge, code_challenge_method: 'S256' }
      return { url: buildAuthorizationUrl(client, asked).href, state, verifier, nonce }
    },
    finish: async ({ redirectUri, state, verifier, nonce }, returned) => {
      const client = await configuration()
      const url = new URL(redirectUri)
      url.search = returned
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
      return claimsOf(await worded(provider, authorizationCodeGrant(client, url, checks)), client, provider, check)
    },
  }
}

async function discover(provider: LoginProvider, fetch: Fetch): Promise<Configuration> {
  const issuer = new URL(provider.issuer)
  if (!mayFetch(provider.issuer)) throw new Error(`${provider.issuer} is not https`)
  const bounded = (url: string, options: RequestInit): Promise<Response> => fetchBounded(fetch, url, options)
  const found = await discovery(issuer, provider.clientId, undefined, None(), {
    [customFetch]: (url, options) => bounded(url, options as RequestInit),
    timeout: timeoutMs / 1000,
    // `fetchBounded` allows clear HTTP on this machine alone.
    execute: [allowInsecureRequests],
  })
  if (provider.clientSecret === undefined) return found
  const secret = (await provider.clientSecret()).reveal()
  // OpenID Connect Discovery 1.0, section 3: `client_secret_basic` where nothing is said.
  const methods = found.serverMetadata().token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  const authenticate = methods.includes('client_secret_basic') ? ClientSecretBasic(secret) : ClientSecretPost(secret)
  const client = new Configuration(found.serverMetadata(), provider.clientId, undefined, authenticate)
  client[customFetch] = (url, options) => bounded(url, options as RequestInit)
  client.timeout = timeoutMs / 1000
  allowInsecureRequests(client)
  return client
}

/** Asked again after an hour, and after a failure in a few seconds: until then everybody is told of that failure. */
function remembered<T>(make: () => Promise<T>, now: () => number): () => Promise<T> {
  let made: { readonly value: Promise<T>; at: number; keptMs: number } | undefined
  return () => {
    if (made !== undefined && now() - made.at < made.keptMs) return made.value
    const asked = { value: make(), at: now(), keptMs: discoveryMaxAgeMs }
    made = asked
    asked.value.catch(() => {
      asked.at = now()
      asked.keptMs = discoveryPauseMs
    })
    return asked.value
  }
}

/** What an ID token says, and the user's page where that alone has the groups or the name. Throws. */
async function claimsOf(
  answer: TokenEndpointResponse,
  client: Configuration,
  provider: LoginProvider,
  check: JwtCheck,
): Promise<JWTPayload> {
  if (answer.id_token === undefined)
    throw new Denied('no-id-token', `the identity provider ${provider.name} sent no ID token; its operator adds the scope openid`)
  const claims = await check(answer.id_token)
  const whole = claims[provider.groupsClaim] !== undefined && claims[provider.usernameClaim ?? 'preferred_username'] !== undefined
  if (whole || client.serverMetadata().userinfo_endpoint === undefined) return claims
  // OpenID Connect Core 1.0, section 5.3.2: its subject must be the ID token's, which the library checks.
  return { ...(await fetchUserInfo(client, answer.access_token, claims.sub ?? '')), ...claims }
}

/** The errors that a person or an operator can do something about (RFC 8628, section 3.5; RFC 6749, sections 4.1.2.1 and 5.2). */
async function worded<T>(provider: LoginProvider, answer: Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const code = error instanceof ResponseBodyError || error instanceof AuthorizationResponseError ? error.error : undefined
    const over = signal?.aborted === true && (signal.reason as { readonly name?: string }).name === 'TimeoutError'
    if (code === 'expired_token' || over)
      throw new Denied('code-expired', `nobody entered the code at ${provider.name} in time; log in again`, { cause: error })
    if (code === 'access_denied') throw new Denied('login-refused', `the login was refused at ${provider.name}`, { cause: error })
    if (code === 'invalid_client')
      throw new Denied(
        'provider-misconfigured',
        `${provider.name} does not know this gateway: its clientId or clientSecret is wrong`,
        { cause: error },
      )
    if (code === 'invalid_grant')
      throw new Denied('login-over', `${provider.name} does not accept this login any more; log in again`, { cause: error })
    if (isOfAnotherAudience(error))
      throw new Denied('wrong-audience', `the token of ${provider.name} is for another audience than ${provider.clientId}`, {
        cause: error,
      })
    throw error
  }
}

/** The library wraps what it found: `{ claim: 'aud', ... }` is the cause of the cause. */
function isOfAnotherAudience(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  return ('claim' in error && error.claim === 'aud') || ('cause' in error && isOfAnotherAudience(error.cause))
}

/** What a provider says goes to terminals: one line, and nothing that moves a cursor. */
function shown(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 512)
}
