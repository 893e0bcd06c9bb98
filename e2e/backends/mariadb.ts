// A real MariaDB server on loopback: TLS, a user for each way of logging in, and every statement logged.

import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { firstStatements, makePlace, stopServer } from './mysql-server.js'
import type { MysqlServer } from './mysql-server.js'
import { backendPassword, freePort } from './postgres.js'
import { program, serverUser } from './programs.js'

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
  const { directory, data, run } = await makePlace('mariadb')
  const install = program('mariadb-install-db')
  const installed = spawnSync(
    install,
    ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    { ...serverUser, encoding: 'utf8', cwd: '/' },
  )
  if (installed.status !== 0) throw new Error(`${install} failed: ${installed.stderr}${installed.stdout}`)
  const port = await freePort()
  const logFile = join(run, 'statements.log')
  const settings = [
    `--datadir=${data}`,
    `--socket=${run}/socket`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--pid-file=${run}/pid`,
    '--max-allowed-packet=64M',
    '--innodb-flush-log-at-trx-commit=0',
    '--plugin-load-add=auth_ed25519',
  ]
  const tls = [`--ssl-cert=${run}/server.crt`, `--ssl-key=${run}/server.key`]
  const logging = ['--general-log=1', `--general-log-file=${logFile}`]
  const child = spawn(program('mariadbd'), ['--no-defaults', ...settings, ...tls, ...logging, ...more], {
    ...serverUser,
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: directory,
  })
  const version = await firstStatements(port, child, makeUsers)
  const authorityFile = join(directory, 'authority.crt')
  return {
    facts: { kind: 'mariadb', version, host: '127.0.0.1', port, logFile, authorityFile, users },
    stop: () => stopServer(child, directory),
  }
}
