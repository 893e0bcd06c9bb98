// A real OpenID provider on loopback that gives JWT access tokens to a client of ours (client credentials, RFC 6749 section 4.4).

import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'

export const audience = 'sallyport'

export interface TestIssuer {
  readonly issuer: string
  /** A signed access token with these claims, which go over the standard ones. */
  token(claims: Readonly<Record<string, unknown>>): Promise<string>
  close(): Promise<void>
}

export async function startIssuer(): Promise<TestIssuer> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  let next: Readonly<Record<string, unknown>> = {}
  const client = { client_id: 'tests', client_secret: 'not-a-secret-of-anything-real', grant_types: ['client_credentials'] }
  const provider = new Provider(issuer, {
    clients: [{ ...client, redirect_uris: [], response_types: [] }],
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://sallyport.test',
        getResourceServerInfo: () => ({ scope: '', audience, accessTokenFormat: 'jwt', accessTokenTTL: 300 }),
      },
    },
    formats: { customizers: { jwt: (_context, _token, jwt) => void Object.assign(jwt.payload, next) } },
    ttl: { ClientCredentials: 300 },
  })
  const handle = provider.callback()
  server.on('request', (request, response) => void handle(request, response))
  return {
    issuer,
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
