// A small server to guard: SSH from Node alone. It runs each command with /bin/sh in a scratch directory, and is a sample in all else: no
// terminals, no files by SFTP, no forwards. Only the gateway knows its password.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openHostKey } from '@sallyport/ssh'
import ssh2 from 'ssh2'
import type { AuthContext, ServerChannel, Session } from 'ssh2'

export interface SampleHost {
  readonly address: string
  /** The public key it shows. */
  readonly hostKey: string
  readonly username: string
  readonly passwordFile: string
  /** Where its commands run. */
  readonly scratch: string
  stop(): Promise<void>
}

const USERNAME = 'deploy'
/** A newcomer's try-outs never need more; a loop that forgets to wait must not take the machine down. */
const MAX_COMMANDS = 32
/** As root, commands run as nobody: what an agent may do on the sample is not what the demo's owner may do. */
const NOBODY = 65_534

/** Made anew at each start. */
const FILES: Readonly<Record<string, string>> = {
  'releases/2026-01/app.conf': 'workers = 2\n',
  'releases/2026-02/app.conf': 'workers = 4\n',
  'logs/app.log': '09:00:01 started, 4 workers\n09:12:44 slow request: /checkout took 1804 ms\n',
}

/** `directory` keeps its key and its password. */
export async function startHost(directory: string, port: number): Promise<SampleHost> {
  const { privateKey, publicKey } = openHostKey(directory)
  const password = randomBytes(18).toString('base64url')
  const passwordFile = join(directory, 'password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  const scratch = makeScratch()
  const running = new Set<ChildProcess>()
  const sockets = new Set<Socket>()
  const host = new ssh2.Server({ hostKeys: [privateKey] }, (connection) => {
    connection.on('error', () => {})
    connection.on('authentication', (context) => (isRight(context, password) ? context.accept() : context.reject(['password'])))
    connection.on('session', (accept) => serveSession(accept(), scratch, running))
  })
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    host.injectSocket(socket)
  })
  const stop = async (): Promise<void> => {
    for (const child of running) endGroup(child)
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
    rmSync(scratch, { recursive: true, force: true })
  }
  try {
    await listen(server, port)
  } catch (error) {
    rmSync(scratch, { recursive: true, force: true })
    throw error
  }
  return { address: `127.0.0.1:${port}`, hostKey: publicKey, username: USERNAME, passwordFile, scratch, stop }
}

function makeScratch(): string {
  const scratch = mkdtempSync(join(tmpdir(), 'sallyport-sample-host-'))
  const made = [scratch]
  for (const [name, content] of Object.entries(FILES)) {
    const file = join(scratch, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    made.push(dirname(dirname(file)), dirname(file), file)
  }
  if (isRoot()) for (const path of made) chownSync(path, NOBODY, NOBODY)
  chmodSync(scratch, 0o700)
  return scratch
}

const isRoot = (): boolean => process.getuid?.() === 0

function isRight(context: AuthContext, password: string): boolean {
  if (context.method !== 'password' || context.username !== USERNAME) return false
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(context.password), digest(password))
}

function serveSession(session: Session, scratch: string, running: Set<ChildProcess>): void {
  session.on('env', (_accept, reject) => reject?.())
  session.on('pty', (_accept, reject) => reject?.())
  session.on('shell', (accept) => tell(accept(), 'this sample has no terminals; give it a command'))
  session.on('exec', (accept, _reject, { command }) => {
    const stream = accept()
    if (running.size >= MAX_COMMANDS) tell(stream, `this sample runs ${MAX_COMMANDS} commands at once and no more`)
    else run(command, stream, scratch, running)
  })
}

function tell(stream: ServerChannel, what: string): void {
  stream.on('error', () => {})
  stream.resume()
  stream.stderr.write(`sample host: ${what}\n`)
  stream.exit(1)
  stream.end()
}

function run(command: string, stream: ServerChannel, scratch: string, running: Set<ChildProcess>): void {
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: scratch,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: scratch, LANG: 'C.UTF-8' },
    // A group of its own, so that all of it can be ended.
    detached: true,
    ...(isRoot() ? { uid: NOBODY, gid: NOBODY } : {}),
  })
  running.add(child)
  for (const each of [stream, stream.stderr, child.stdin]) each.on('error', () => {})
  stream.pipe(child.stdin)
  child.stdout.pipe(stream, { end: false })
  child.stderr.pipe(stream.stderr, { end: false })
  stream.once('close', () => endGroup(child))
  child.once('error', () => {
    running.delete(child)
    tell(stream, '/bin/sh could not be started')
  })
  child.once('close', (code, signal) => {
    running.delete(child)
    if (signal === null) stream.exit(code ?? 1)
    else stream.exit(signal.replace(/^SIG/, ''), false, '')
    stream.end()
  })
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // All of it has ended by itself.
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port }, resolve)
  })
}
