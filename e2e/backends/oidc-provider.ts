// A real OpenID provider on loopback: it gives JWT access tokens to a client of ours (client credentials, RFC 6749 section 4.4), and people
// log in at it by the device flow and the browser's, with a browser that is a cookie jar and a reader of forms.

import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'

export const audience = 'sallyport'
/** The gateway, as the provider knows it: with a secret, and without. */
export const gatewayClient = { id: 'sallyport', secret: 'the-client-secret-that-stays-at-the-gateway' }
export const publicClient = { id: 'sallyport-public' }

export interface TestIssuer {
  readonly issuer: string
  /** A signed access token with these claims, which go over the standard ones. */
  token(claims: Readonly<Record<string, unknown>>): Promise<string>
  /** What a person does in a browser from this address on: logs in as this account and agrees, or aborts. Answers the last page's address. */
  visit(address: string, account: string | undefined): Promise<string>
  close(): Promise<void>
}

export interface IssuerOptions {
  /** How long a device code counts. */
  readonly deviceCodeSeconds?: number
}

/** People by account name: what the provider says of each. */
const people: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  mia: { preferred_username: 'mia', groups: ['ops'] },
  noa: { preferred_username: 'noa', groups: ['guests'] },
  // Has chosen a name that is the gateway's own agent's.
  thief: { preferred_username: 'robot', groups: ['ops'] },
}

export async function startIssuer({ deviceCodeSeconds = 300 }: IssuerOptions = {}): Promise<TestIssuer> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  let next: Readonly<Record<string, unknown>> = {}
  const client = { client_id: 'tests', client_secret: 'not-a-secret-of-anything-real', grant_types: ['client_credentials'] }
  const people_ = {
    grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
    redirect_uris: ['http://127.0.0.1/callback', 'http://127.0.0.1/api/v1/sign-in/back'],
    response_types: ['code' as const],
    application_type: 'native' as const,
  }
  const provider = new Provider(issuer, {
    clients: [
      { ...client, redirect_uris: [], response_types: [] },
      { ...people_, client_id: gatewayClient.id, client_secret: gatewayClient.secret },
      { ...people_, client_id: publicClient.id, token_endpoint_auth_method: 'none' },
    ],
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_context, { clientId }) => (clientId === client.client_id ? 'https://sallyport.test' : []),
        getResourceServerInfo: () => ({ scope: '', audience, accessTokenFormat: 'jwt', accessTokenTTL: 300 }),
      },
    },
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email'] },
    findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id, ...people[id] }) }),
    formats: { customizers: { jwt: (_context, _token, jwt) => void Object.assign(jwt.payload, next) } },
    ttl: {
      ClientCredentials: 300,
      DeviceCode: deviceCodeSeconds,
      AccessToken: 300,
      IdToken: 300,
      Grant: 300,
      Session: 300,
      Interaction: 300,
    },
    cookies: { keys: ['of no consequence'] },
  })
  // How often a device may ask (RFC 8628 section 3.2); a client that is not told asks every five seconds.
  provider.use(async (context, answer) => {
    await answer()
    if (context.oidc?.route === 'device_authorization' && typeof context.body === 'object')
      context.body = { ...context.body, interval: 1 }
  })
  const handle = provider.callback()
  server.on('request', (request, response) => void handle(request, response))
  return {
    issuer,
    visit,
    token: async (claims) => {
      next = claims
      const body = new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: client.client_id,
        client_secret: client.client_secret,
      })
      const response = await fetch(`${issuer}/token`, { method: 'POST', body })
      const answer = (await response.json()) as { access_token?: string }
      if (answer.access_token === undefined) throw new Error(`the provider answered ${JSON.stringify(answer)}`)
      return answer.access_token
    },
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** As many pages as the longest way through the provider's has, and some. */
const mostPages = 20

async function visit(address: string, account: string | undefined): Promise<string> {
  const jar = new Map<string, string>()
  let at = address
  let body: URLSearchParams | undefined
  let aborted = false
  for (let pages = 0; pages < mostPages; pages += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response: Response = await fetch(at, {
      headers: { cookie, accept: 'text/html' },
      redirect: 'manual',
      ...(body === undefined ? {} : { method: 'POST', body }),
    })
    body = undefined
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      jar.set(name, value)
    }
    const location = response.headers.get('location')
    const page = await response.text()
    if (location !== null) {
      at = new URL(location, at).href
      continue
    }
    const abort = /href="([^"]+\/abort)"/.exec(page)?.[1]
    if (account === undefined && abort !== undefined) {
      aborted = true
      at = new URL(abort, at).href
      continue
    }
    const form = formIn(page)
    // Who said no is shown the first page again.
    if (form === undefined || (aborted && !form.asks)) return at
    at = new URL(form.action, at).href
    body = new URLSearchParams({ ...form.fields, ...(form.asks ? { login: account ?? '', password: 'any' } : {}) })
  }
  throw new Error(`the provider's pages do not end; the last was ${at}`)
}

function formIn(page: string): { action: string; fields: Record<string, string>; asks: boolean } | undefined {
  const action = /<form[^>]*action="([^"]+)"/.exec(page)?.[1]
  if (action === undefined) return undefined
  const fields: Record<string, string> = {}
  for (const [input] of page.matchAll(/<input[^>]*>/g)) {
    const name = /name="([^"]+)"/.exec(input)?.[1]
    if (name !== undefined) fields[name] = /value="([^"]*)"/.exec(input)?.[1] ?? ''
  }
  return { action, fields, asks: 'login' in fields }
}
