// A short-lived certificate for the caller's own SSH key, laid beside it, where OpenSSH looks for it by itself.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import { openClient } from '../client/gateway-client.js'
import { printable } from '../output/printable.js'
import { shortTime } from '../output/table.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

export interface SshCertOptions {
  readonly ttl: number
  readonly json?: true
}

/** Those that OpenSSH's client tries by itself, the soundest first. */
const usualKeys = ['id_ed25519.pub', 'id_ecdsa.pub', 'id_rsa.pub']

export async function sshCertCommand(file: string | undefined, options: SshCertOptions, terminal: Terminal): Promise<void> {
  const publicFile = file ?? usualKey(terminal)
  const publicKey = publicKeyIn(publicFile)
  const made = await openClient(terminal.env).call<{
    readonly certificate: string
    readonly identity: string
    readonly expiresAt: string
  }>('POST', '/ssh-certificate', { publicKey, ttlSeconds: Math.floor(options.ttl / 1000) })
  // ssh(1), -i: the certificate is looked for under the name of the key with -cert.pub.
  const certificateFile = `${publicFile.replace(/\.pub$/, '')}-cert.pub`
  writeFileSync(`${certificateFile}.new`, `${made.certificate}\n`, { mode: 0o644 })
  renameSync(`${certificateFile}.new`, certificateFile)
  const { identity, expiresAt } = made
  if (options.json === true) return printJson(terminal, { file: certificateFile, identity, expiresAt })
  terminal.out(printable(`${certificateFile}: ${identity}, until ${shortTime(expiresAt)} UTC`))
}

function usualKey({ env }: Terminal): string {
  const directory = join(env['HOME'] ?? homedir(), '.ssh')
  const found = usualKeys.map((name) => join(directory, name)).find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new Misconfigured(
    'no-key',
    `there is no ${usualKeys.join(', ')} in ${directory}; make one with ssh-keygen, or name a .pub file`,
  )
}

function publicKeyIn(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new Misconfigured('no-key', `${file} cannot be read; name the .pub file of a key`, { cause })
  }
  // A private key given by mistake must not travel.
  if (!/^(?:ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+(?: [^\n]*)?$/.test(text))
    throw new Misconfigured('not-a-key', `${file} is not a public key; name its .pub file`)
  return text.split(/\s+/).slice(0, 2).join(' ')
}
