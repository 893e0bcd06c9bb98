// The tour's step on a server: the agent's commands over SSH, understood before they run.

import { createHash, timingSafeEqual } from 'node:crypto'
import ssh2 from 'ssh2'
import type { Client } from 'ssh2'
import type { GatewayClient } from '../client/gateway-client.js'
import { AGENT, HOST } from './configuration.js'
import { must, stepWithinMs } from './step.js'

export interface SshTourParts {
  readonly port: number
  readonly agentToken: string
  readonly say: (text: string) => void
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

export async function sshTour(admin: GatewayClient, parts: SshTourParts): Promise<void> {
  const { say } = parts
  const client = await connect(parts, (await admin.text('/ssh-host-key')).trim())
  try {
    for (const { command, code, says } of TRIES) {
      say(`   $ ssh ${HOST}@gateway ${command.includes(' && ') ? `"${command.replaceAll('"', '\\"')}"` : command}`)
      const ran = await run(client, command)
      for (const line of shown(ran)) say(`   ${line}`)
      must(ran.code === code && `${ran.out}${ran.err}`.includes(says), `\`${command}\` ended with ${String(ran.code)}`)
    }
    say(`   $ ssh ${HOST}@gateway`)
    const shell = await open(client)
    for (const line of shown(shell)) say(`   ${line}`)
    must(shell.code === 126 && shell.err.includes('no-terminals'), 'a terminal was not refused')
  } finally {
    client.end()
  }
}

const shown = ({ out, err }: Ran): readonly string[] => `${out}${err}`.trimEnd().split('\n')

function connect({ port, agentToken }: SshTourParts, hostKey: string): Promise<Client> {
  const pinned = digest(Buffer.from(hostKey.split(' ')[1] ?? '', 'base64'))
  const client = new ssh2.Client()
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client)).on('error', reject)
    client.connect({
      host: '127.0.0.1',
      port,
      username: `${AGENT}:${HOST}`,
      password: agentToken,
      hostVerifier: (key: Buffer) => timingSafeEqual(digest(key), pinned),
      readyTimeout: stepWithinMs,
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
