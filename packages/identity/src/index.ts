// Who is calling: access tokens, OpenID Connect, keys.

export * from './authenticator.js'
export * from './failures.js'
export { createToken, isLive, lookupOf } from './tokens.js'
export type { ProviderLogin, TokenOrder, TokenRecord, TokenTable } from './tokens.js'
export { scramIterations, scramSalt, scramVerifiers, tokenVerifiers } from './verifiers.js'
export type { KnownIdentity } from './claims.js'
export type { Fetch } from './fetch.js'
export { createLogins } from './logins.js'
export type { DeviceLogin, LoggedIn, Logins } from './logins.js'
export type { LoginFlow, LoginProvider } from './login-provider.js'
export type { OidcProvider } from './provider.js'
