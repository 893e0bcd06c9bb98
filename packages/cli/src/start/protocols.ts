// Every protocol this gateway speaks: with all a running node gives them, or for understanding texts alone.

import type { Protocol, Target } from '@sallyport/core'
import { http } from '@sallyport/http'
import { mysql } from '@sallyport/mysql'
import { postgres } from '@sallyport/postgres'
import type { SqlReader } from '@sallyport/sql'
import { ssh } from '@sallyport/ssh'

export interface ProtocolParts extends Pick<Parameters<typeof ssh>[0], 'hostKey' | 'logins'> {
  readonly sql: SqlReader
  /** What `hash` masks are made with. */
  readonly salt: string
  readonly targets: () => readonly Target[]
}

export function allProtocols({ sql, salt, hostKey, logins, targets }: ProtocolParts): readonly Protocol[] {
  return [postgres({ sql, salt }), mysql({ salt }), ssh({ sql, hostKey, logins }), http({ targets, salt })]
}

/** Without a node: nobody connects, so no key is shown and nobody logs in. */
export function readersOf(sql: SqlReader, targets: readonly Target[]): readonly Pick<Protocol, 'name' | 'understand' | 'schema'>[] {
  const logins = { providers: [], device: () => Promise.reject(new Error('nobody logs in here')) }
  return allProtocols({ sql, salt: '', hostKey: { privateKey: '', publicKey: '' }, logins, targets: () => targets })
}
