// Where a stored credential is kept, as the configuration says it. Never the value itself: configurations are read, copied and committed.

/** Exactly one of them. */
export interface SecretSource {
  /** A variable of the gateway's environment. */
  readonly env?: string | undefined
  /** A file; one newline at its end is not part of the value. */
  readonly file?: string | undefined
  /** What `seal` answered, on this installation. */
  readonly sealed?: string | undefined
  /** `path#field` of a HashiCorp Vault KV version 2. */
  readonly vault?: string | undefined
}

export type CredentialSource =
  | { readonly username: string; readonly password: SecretSource }
  | {
      readonly username: string
      readonly privateKey: SecretSource
      readonly passphrase?: SecretSource | undefined
      /** Of SSH; no secret, but it changes as often as one. */
      readonly certificate?: SecretSource | undefined
    }
  | { readonly header: { readonly name: string; readonly value: SecretSource } }
  | { readonly bearer: SecretSource }
  | {
      readonly oauth2: {
        readonly tokenUrl: string
        readonly clientId: string
        readonly clientSecret: SecretSource
        readonly scope?: string | undefined
        readonly audience?: string | undefined
      }
    }
  | { readonly certificate: SecretSource; readonly privateKey: SecretSource }
  | {
      readonly aws: {
        readonly accessKeyId: string
        readonly secretAccessKey: SecretSource
        readonly sessionToken?: SecretSource | undefined
        readonly region: string
        readonly service: string
      }
    }

const kinds = ['env', 'file', 'sealed', 'vault'] as const
const instead = 'write { env: NAME }, { file: PATH }, { sealed: TEXT } or { vault: "path#field" }'

/** What is wrong with what stands where a secret's source should, or undefined. Never quotes it: it may be the secret. */
export function sourceFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return `a secret must not stand in the configuration; ${instead}`
  const named = Object.entries(value).filter(([, text]) => text !== undefined)
  const [first, second] = named
  if (first === undefined || second !== undefined) return `a secret has exactly one source; ${instead}`
  const [kind, text] = first
  if (!kinds.some((known) => known === kind)) return `a secret has no such source; ${instead}`
  if (typeof text !== 'string' || text === '') return `${kind} needs a text; ${instead}`
  if (kind === 'vault' && !/^[^#]+#[^#]+$/.test(text)) return 'vault needs "path#field"'
  return undefined
}
