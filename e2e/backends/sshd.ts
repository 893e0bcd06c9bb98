// A real OpenSSH server on loopback, run by whoever runs the tests, with a directory of its own to work in.

import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from './postgres.js'
import { findProgram, program, run, runChecked } from './programs.js'
import { waitFor } from './psql.js'

export interface SshServer {
  readonly port: number
  readonly username: string
  /** The server's public key, without comment. */
  readonly hostKey: string
  /** The private key that logs in. */
  readonly keyFile: string
  /** The authority that certified the host key for 127.0.0.1, as its public key line. */
  readonly hostAuthority: string
  /** Files `NAME` and `NAME-cert.pub` of a key of this type that is let in by its certificate alone, for this principal. */
  certifiedKey(type: string, principal?: string): Promise<string>
  /** Scratch room that commands run on the server may use. */
  readonly directory: string
  readonly log: () => string
  /** Ends every connection, as a crash of the machine would: no goodbye. */
  drop(): Promise<void>
  stop(): Promise<void>
}

/** A new key pair; answers with the public line, without comment. */
export async function makeKey(file: string): Promise<string> {
  await runChecked(program('ssh-keygen'), ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  return readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' ').trim()
}

/** `settings`: lines of sshd_config that outdo those here. */
export async function startSshd(settings = ''): Promise<SshServer> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-e2e-sshd-')))
  chmodSync(directory, 0o755)
  const hostKey = await makeKey(join(directory, 'host_key'))
  const hostAuthority = await makeKey(join(directory, 'host_ca'))
  await makeKey(join(directory, 'user_ca'))
  const certify = (...args: readonly string[]): Promise<string> => runChecked(program('ssh-keygen'), ['-q', ...args])
  await certify('-s', join(directory, 'host_ca'), '-I', 'host', '-h', '-n', '127.0.0.1', join(directory, 'host_key.pub'))
  const authorized = await makeKey(join(directory, 'stored_key'))
  writeFileSync(join(directory, 'authorized_keys'), `${authorized}\n`, { mode: 0o600 })
  const port = await freePort()
  const sftp = findProgram('sftp-server') ?? 'internal-sftp'
  writeFileSync(
    join(directory, 'sshd_config'),
    `${settings}
Port ${port}
ListenAddress 127.0.0.1
HostKey ${directory}/host_key
HostCertificate ${directory}/host_key-cert.pub
TrustedUserCAKeys ${directory}/user_ca.pub
PidFile none
AuthorizedKeysFile ${directory}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxSessions 300
MaxStartups 200
RekeyLimit 16M
AcceptEnv LANG LC_* TRACEPARENT GIT_PROTOCOL SECRET
Subsystem sftp ${sftp}
LogLevel VERBOSE
`,
  )
  // Its directory for separated privileges must be there where it runs as root.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const child = spawn(program('sshd'), ['-D', '-e', '-f', join(directory, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-1_000_000)))
  await waitFor(
    () => accepts(port),
    10_000,
    () => `sshd to listen; it said:\n${said}`,
  )
  return {
    port,
    username: userInfo().username,
    hostKey,
    hostAuthority,
    certifiedKey: async (type, principal = userInfo().username) => {
      const file = join(directory, `certified_${type}_${principal}`)
      await certify('-t', type, '-N', '', '-f', file)
      await certify('-s', join(directory, 'user_ca'), '-I', 'gateway', '-n', principal, `${file}.pub`)
      return file
    },
    keyFile: join(directory, 'stored_key'),
    directory,
    log: () => said,
    drop: async () => {
      const listed = await run('ps', ['-o', 'pid=', '--ppid', String(child.pid)])
      for (const pid of listed.stdout.trim().split(/\s+/)) if (pid !== '') process.kill(Number(pid), 'SIGKILL')
    },
    stop: () => stop(child, directory),
  }
}

function accepts(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(undefined))
  })
}

async function stop(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null) {
    const gone = new Promise((done) => child.once('exit', done))
    child.kill('SIGTERM')
    await gone
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}
