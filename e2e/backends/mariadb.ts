// A real MariaDB server on loopback: TLS, a user for each way of logging in, and every statement logged.

import { launch, makePlace, type MysqlServer } from './mysql-server.js'
import { backendPassword } from './postgres.js'
import { program, runAsServer } from './programs.js'

/** One user for each way this server may ask for a password. */
const users = { first: 'app_native', second: 'app_ed25519', reader: 'app_reader' } as const

const makeUsers = [
  `create user ${users.first} identified via mysql_native_password using password('${backendPassword}')`,
  `create user ${users.second} identified via ed25519 using password('${backendPassword}')`,
  `create user ${users.reader} identified via mysql_native_password using password('${backendPassword}')`,
  `grant all on *.* to ${users.first}`,
  `grant all on *.* to ${users.second}`,
]

/** `more`: settings for a server that is not there for tests (a bench logs nothing). */
export async function startMariadb(more: readonly string[] = []): Promise<MysqlServer> {
  const place = await makePlace('mariadb')
  const data = `--datadir=${place.data}`
  const install = ['--no-defaults', data, '--auth-root-authentication-method=normal', '--skip-test-db']
  await runAsServer(program('mariadb-install-db'), install)
  const command = [program('mariadbd'), '--no-defaults', data, '--plugin-load-add=auth_ed25519', ...more] as const
  return launch({ kind: 'mariadb', place, command, users, makeUsers })
}
