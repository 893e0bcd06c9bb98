// Every protocol this gateway speaks: with all a running node gives them, or for understanding texts alone.

import type { Protocol, Target } from '@sallyport/core'
import { http } from '@sallyport/http'
import { mysql } from '@sallyport/mysql'
import { postgres } from '@sallyport/postgres'
import type { MysqlReader, SqlReader } from '@sallyport/sql'
import { ssh } from '@sallyport/ssh'

type SshParts = Omit<Parameters<typeof ssh>[0], 'sql' | 'salt'>
type HttpParts = Parameters<typeof http>[0]

export interface ProtocolParts extends HttpParts {
  readonly sql: SqlReader
  readonly mysql: Omit<Parameters<typeof mysql>[0], 'salt'>
  readonly ssh: SshParts
}

export function allProtocols({ sql, mysql: mysqlParts, ssh: sshParts, ...rest }: ProtocolParts): readonly Protocol[] {
  const { salt } = rest
  return [postgres({ sql, salt }), mysql({ salt, ...mysqlParts }), ssh({ sql, salt, ...sshParts }), http(rest)]
}

/** Without a node: nobody connects, so no key is shown, nobody logs in, and no tool is remembered. */
export function readersOf(
  sql: SqlReader,
  mysqlReader: MysqlReader,
  targets: readonly Target[],
): readonly Pick<Protocol, 'name' | 'understand' | 'schema'>[] {
  const nobody = (): Promise<never> => Promise.reject(new Error('nobody connects here'))
  const hostKey = { privateKey: '', publicKey: '' }
  const unserved = { hostKey, hostCertificate: () => Buffer.alloc(0), logins: { providers: [], device: nobody } }
  const toolMemory = { digests: async () => new Map<string, string>(), keep: async () => {} }
  return allProtocols({
    sql,
    salt: '',
    targets: () => targets,
    mysql: { sql: mysqlReader, serverVersion: '' },
    ssh: unserved,
    toolMemory,
  })
}
