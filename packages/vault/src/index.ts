// Stored credentials: where they are kept, and how they get from there to a dial and nowhere else.

export { sourceFault } from './source.js'
export type { CredentialSource, SecretSource } from './source.js'
export { openVault } from './vault.js'
export type { Vault, VaultOptions } from './vault.js'
