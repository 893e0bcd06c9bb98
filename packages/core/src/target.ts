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
  readonly labels: Readonly<Record<string, string>>
  readonly durability: Durability
  /** What a granted caller may do where no rule matches. */
  readonly default: 'allow' | 'deny'
  readonly trust: { readonly functions: readonly string[] }
}

export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly username: string; readonly password: Secret }
  | { readonly kind: 'privateKey'; readonly username: string; readonly privateKey: Secret; readonly passphrase?: Secret }
  | { readonly kind: 'header'; readonly name: string; readonly value: Secret }

/** A connection to the target, before its protocol's own login. */
export interface Upstream {
  readonly stream: Duplex
  readonly host: string
  readonly port: number
  readonly database: string | undefined
  readonly credential: Credential
}
