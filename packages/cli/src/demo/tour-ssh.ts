// The tour's step on a server: the agent's commands over SSH, understood before they run.

import { createHash, timingSafeEqual } from 'node:crypto'
import ssh2 from 'ssh2'
import type { Client } from 'ssh2'
import { AGENT, HOST } from './configuration.js'

export interface Reach {
  readonly port: number
  readonly token: string
  /** The gateway's own, as its API tells it: a line of known_hosts without names. */
  readonly hostKey: string
  readonly withinMs: number
}

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** What the agent tries, and what must come of it. */
const TRIES = [
  { command: 'tail -n 1 logs/app.log', code: 0, says: 'slow request' },
  { command: `cd releases && sh -c 'r""m -fr 2026-01'`, code: 126, says: 'no-trees' },
  { command: 'ls releases', code: 0, says: '2026-01' },
] as const

/** Answers with what came instead of what must; undefined where all was as it must be. */
export async function agentOnHost(reach: Reach, say: (text: string) => void): Promise<string | undefined> {
  const client = await connect(reach)
  try {
    for (const { command, code, says } of TRIES) {
      say(`   $ ssh ${HOST}@gateway ${command.includes(' && ') ? `"${command.replaceAll('"', '\\"')}"` : command}`)
      const ran = await run(client, command)
      for (const line of shown(ran)) say(`   ${line}`)
      if (ran.code !== code || !`${ran.out}${ran.err}`.includes(says))
        return `\`${command}\` was to end with ${code} and say ${says}; it ended with ${String(ran.code)}: ${ran.out}${ran.err}`
    }
    say(`   $ ssh ${HOST}@gateway`)
    const shell = await open(client)
    for (const line of shown(shell)) say(`   ${line}`)
    return shell.code === 126 && shell.err.includes('no-terminals') ? undefined : 'a terminal was not refused'
  } finally {
    client.end()
  }
}

const shown = ({ out, err }: Ran): readonly string[] => `${out}${err}`.trimEnd().split('\n')

function connect({ port, token, hostKey, withinMs }: Reach): Promise<Client> {
  const pinned = digest(Buffer.from(hostKey.split(' ')[1] ?? '', 'base64'))
  const client = new ssh2.Client()
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client)).on('error', reject)
    client.connect({
      host: '127.0.0.1',
      port,
      username: `${AGENT}:${HOST}`,
      password: token,
      hostVerifier: (key: Buffer) => timingSafeEqual(digest(key), pinned),
      readyTimeout: withinMs,
    })
  })
}

const digest = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()

function run(client: Client, command: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error === undefined) void ended(channel).then(resolve)
      else reject(error)
    })
  })
}

function open(client: Client): Promise<Ran> {
  return new Promise((resolve, reject) => {
    client.shell((error, channel) => {
      if (error === undefined) void ended(channel).then(resolve)
      else reject(error)
    })
  })
}

function ended(channel: ssh2.ClientChannel): Promise<Ran> {
  let [out, err] = ['', '']
  let code: number | null = null
  channel.on('data', (bytes: Buffer) => (out += bytes.toString()))
  channel.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()))
  channel.on('exit', (exit: number | null) => (code = exit))
  channel.end()
  return new Promise((resolve) => channel.once('close', () => resolve({ code, out, err })))
}
