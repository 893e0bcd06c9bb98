// What callers reach. A Target never holds a secret: the stored credential is fetched at `dial()` and goes nowhere else.

import type { Duplex } from 'node:stream'
import type { Secret } from './secret.js'

/** `process`: in the kernel before forwarding. `disk`: fdatasync before forwarding. `database`: acknowledged by Postgres before forwarding. */
export type Durability = 'process' | 'disk' | 'database'

export interface Target {
  readonly name: string
  readonly protocol: string
  /** `host:port`, or a URL for http. */
  readonly address: string
  /** The database a client gets that names none (postgres, mysql). */
  readonly database?: string
  /** Other databases that `TARGET.DATABASE` may pick; names take `*`. */
  readonly databases: readonly string[]
  readonly tls: 'off' | 'require' | 'verify'
  /** PEM of the authorities to trust with `tls: verify`; absent: the system's. */
  readonly tlsAuthorities?: string
  /** OpenSSH public key line the target must show (ssh). */
  readonly hostKey?: string
  /** OpenSSH public key line of an authority that certifies the target's host key (ssh). */
  readonly hostAuthority?: string
  /** The target that this one is reached through (ssh). */
  readonly via?: string
  readonly labels: Readonly<Record<string, string>>
  readonly durability: Durability
  /** What a granted caller may do where no rule matches. */
  readonly default: 'allow' | 'deny'
  /** What the operator vouches for: functions (SQL), programs (ssh; by name, or by a path that begins with `/`). */
  readonly trust: { readonly functions: readonly string[]; readonly programs?: readonly string[] }
  readonly http?: HttpSettings
}

/** What only targets of protocol http have. */
export interface HttpSettings {
  /** `auto`: where TLS agrees on it. `always` means it in clear, too. */
  readonly http2: 'auto' | 'always' | 'never'
  /** Operations of its OpenAPI file. */
  readonly operations: readonly HttpOperation[]
  /** What the shapes of operations refer to, as `#/components/schemas/NAME`; absent: requests are not checked. */
  readonly schemas?: Readonly<Record<string, unknown>>
  /** Bytes of each body that are read before the request goes on, so that rules can see into it. */
  readonly readBodyBytes: number
  /** Bytes of each body that are recorded; of what is longer, a digest. */
  readonly recordBodyBytes: number
  /** How long a held request waits before its caller is told to come back. */
  readonly patienceMs: number
  /** Names of headers and query parameters whose values are never recorded, besides the well-known ones. */
  readonly secretNames: readonly string[]
}

export interface HttpOperation {
  readonly method: string
  /** With templates: `/orders/{id}`. */
  readonly path: string
  readonly id: string
  readonly shape?: RequestShape
}

/** What requests of an operation must look like. Schemas are JSON Schema 2020-12. */
export interface RequestShape {
  readonly parameters: readonly RequestParameter[]
  /** Absent: there is no body. */
  readonly body?: { readonly required: boolean; readonly media: Readonly<Record<string, unknown>> }
}

export interface RequestParameter {
  readonly in: 'path' | 'query' | 'header'
  readonly name: string
  readonly required: boolean
  /** One value; many of the same name; a list with commas; an object as `name[key]`; an object whose keys stand by themselves. */
  readonly form: 'one' | 'many' | 'list' | 'deep' | 'open'
  readonly schema: unknown
}

export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly username: string; readonly password: Secret }
  /** `certificate`: an OpenSSH certificate line about that key. */
  | {
      readonly kind: 'privateKey'
      readonly username: string
      readonly privateKey: Secret
      readonly passphrase?: Secret
      readonly certificate?: string
    }
  | { readonly kind: 'header'; readonly name: string; readonly value: Secret }
  | { readonly kind: 'bearer'; readonly token: Secret }
  /** RFC 6749, section 4.4: a token is fetched with these and goes on in their place. */
  | {
      readonly kind: 'oauth2'
      readonly tokenUrl: string
      readonly clientId: string
      readonly clientSecret: Secret
      readonly scope?: string
      readonly audience?: string
    }
  /** Mutual TLS; both PEM. */
  | { readonly kind: 'certificate'; readonly certificate: string; readonly privateKey: Secret }
  | {
      readonly kind: 'aws'
      readonly accessKeyId: string
      readonly secretAccessKey: Secret
      readonly sessionToken?: Secret
      readonly region: string
      readonly service: string
    }

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** A target on the way to another, with its own credential. */
export interface Hop {
  readonly target: Target
  readonly credential: Credential
}

/** A connection to the target, before its protocol's own login. */
export interface Upstream {
  readonly stream: Duplex
  readonly host: string
  readonly port: number
  readonly database: string | undefined
  readonly credential: Credential
  /** Through which targets, the first of them first: `stream` leads to that one. Absent: to the target itself. */
  readonly hops?: readonly Hop[]
}
