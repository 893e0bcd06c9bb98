// Who is calling: access tokens, OpenID Connect, keys.

export * from './authenticator.js'
export * from './failures.js'
export { createToken, isLive, lookupOf } from './tokens.js'
export type { TokenOrder, TokenRecord, TokenTable } from './tokens.js'
export { scramIterations, scramSalt, scramVerifiers, tokenVerifiers } from './verifiers.js'
export type { KnownIdentity } from './claims.js'
export type { Fetch, OidcProvider } from './provider.js'
