// A genuine MySQL server on loopback, where `.ci/mysql9` has unpacked one beside the system: run by the loader and libraries that came with it.

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { launch, makePlace, type MysqlServer } from './mysql-server.js'
import { backendPassword } from './postgres.js'
import { runAsServer } from './programs.js'

/** The plugins that MariaDB lacks: with the first, whether a login is fast or full depends on what the server remembers. */
const users = { first: 'app_sha2', second: 'app_sha256', reader: 'app_reader' } as const

const makeUsers = [
  `create user ${users.first} identified with caching_sha2_password by '${backendPassword}'`,
  `create user ${users.second} identified with sha256_password by '${backendPassword}'`,
  `create user ${users.reader} identified with caching_sha2_password by '${backendPassword}'`,
  `grant all on *.* to ${users.first}`,
  `grant all on *.* to ${users.second}`,
]

function findRoot(): string | undefined {
  const own = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const places = [process.env['SALLYPORT_MYSQL'], '/var/cache/sallyport/mysql', join(own, 'sallyport', 'mysql')]
  return places.flatMap((place) => (place === undefined ? [] : [join(place, 'root')])).find((root) => existsSync(join(root, 'usr')))
}

/** The command that runs a program of MySQL's (`sbin/mysqld`, `bin/mysql`, `bin/mysqldump`); undefined where MySQL is not there. */
export function mysqlCommand(name: string): readonly [command: string, ...args: string[]] | undefined {
  const root = findRoot()
  if (root === undefined) return undefined
  const architecture = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch as string] ?? ''
  const loader = { x64: 'usr/lib64/ld-linux-x86-64.so.2', arm64: 'usr/lib/ld-linux-aarch64.so.1' }[process.arch as string] ?? ''
  const found = [join(root, loader), join(root, 'usr', name)]
  if (!found.every((path) => existsSync(path))) return undefined
  return [join(root, loader), '--library-path', join(root, 'usr', 'lib', architecture), join(root, 'usr', name)]
}

export async function startMysql(): Promise<MysqlServer | undefined> {
  const server = mysqlCommand('sbin/mysqld')
  const root = findRoot()
  if (server === undefined || root === undefined) return undefined
  const place = await makePlace('mysql')
  const shared = ['--no-defaults', `--basedir=${root}/usr`, `--datadir=${place.data}`, `--lc-messages-dir=${root}/usr/share/mysql`]
  const places = [`--character-sets-dir=${root}/usr/share/mysql/charsets`, `--plugin-dir=${root}/usr/lib/mysql/plugin`]
  const base = [...server, ...shared, ...places, '--secure-file-priv='] as const
  const [program, ...args] = base
  await runAsServer(program, [...args, '--initialize-insecure'])
  const settings = ['--disable-log-bin', '--mysqlx=OFF', '--performance-schema=OFF', '--event-scheduler=OFF']
  const command = [...base, ...settings, `--ssl-ca=${place.directory}/authority.crt`] as const
  return launch({ kind: 'mysql', place, command, users, makeUsers })
}
